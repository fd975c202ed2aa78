using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// Matrix product on all workers. B is packed once a call, in panels that all workers read; a worker takes blocks of C, whose sizes change no bits
/// (<see cref="TileProduct"/>). Where K is too long for one chain, a worker packs the part of B (and of a transposed A) that it needs, chunk by chunk.
/// </summary>
internal static unsafe class MatMulKernels
{
    // Rows of C a block: a multiple of both micro-kernels' 8 and 6 rows; its part of A stays in the second-level cache.
    private const int BlockRows = 96;

    // Floats of a packed chunk of B that a worker holds where K is long: 512 KiB.
    private const int ChunkPanels = 16;

    private static nuint LongScratchBytes => (nuint)(TileProduct.ChunkDepth * (BlockRows + (ChunkPanels * Panels.Width))) * sizeof(float);

    /// <summary>What a worker needs: chunks of both operands where K is long, else its rows of a transposed A.</summary>
    public static nuint WorkerScratchBytes(int k, bool transposeA) =>
        k > TileProduct.LongestChain ? LongScratchBytes : transposeA ? (nuint)(BlockRows * Math.Max(1, k)) * sizeof(float) : 0;

    public static void Run<TV>(in MatMul operation, CpuDevice device) where TV : struct, IVector<TV>
    {
        if (TV.Count == 16) Multiply<MicroKernel512>(in operation, device);
        else if (TV.Count == 8) Multiply<MicroKernel256>(in operation, device);
        else Multiply<MicroKernel128>(in operation, device);
    }

    private static void Multiply<TKernel>(in MatMul operation, CpuDevice device) where TKernel : struct, IMicroKernel
    {
        int m = operation.M, n = operation.N, k = operation.K;
        if (m == 0 || n == 0) return;
        var body = new Body<TKernel>
        {
            A = k == 0 ? null : (float*)operation.A.Address,
            B = k == 0 ? null : (float*)operation.B.Address,
            C = (float*)operation.C.Address,
            M = m,
            N = n,
            K = k,
            TransposeA = operation.TransposeA,
            TransposeB = operation.TransposeB,
            Accumulate = operation.Accumulate,
            Workers = device.Workers,
        };
        if (k > TileProduct.LongestChain)
        {
            body.Divide(BlockRows, ChunkPanels);
            body.Phase = Phase.Long;
            device.Workers.Run(ref body, body.Blocks);
            return;
        }
        body.Packed = (float*)device.OperationScratch;
        body.Phase = Phase.Pack;
        body.PackPanels = Math.Max(1, 16384 / (Panels.Width * Math.Max(1, k)));
        device.Workers.Run(ref body, DivideUp(Panels.CountFor(n), body.PackPanels));

        // Enough blocks that the last ones to finish cost little; columns are cut only where rows are too few for that.
        body.Divide(BlockRows, Panels.CountFor(n));
        var wanted = 6 * device.Workers.Threads;
        if (device.Workers.Threads > 1 && body.Blocks < wanted && (long)m * n * k > 100_000)
        {
            var columnBlocks = Math.Min(DivideUp(Panels.CountFor(n), 3), DivideUp(wanted, body.Blocks));
            body.Divide(BlockRows, DivideUp(DivideUp(Panels.CountFor(n), columnBlocks), 3) * 3);
        }
        body.Phase = Phase.Multiply;
        device.Workers.Run(ref body, body.Blocks);
    }

    private static int DivideUp(int a, int b) => (a + b - 1) / b;

    private enum Phase
    {
        Pack,
        Multiply,
        Long,
    }

    private struct Body<TKernel> : IParallelBody where TKernel : struct, IMicroKernel
    {
        public float* A, B, C, Packed;
        public int M, N, K, PackPanels;
        public bool TransposeA, TransposeB, Accumulate;
        public Phase Phase;
        public WorkerPool Workers;
        private int rowsOfBlock, panelsOfBlock, columnBlocks;

        public int Blocks { get; private set; }

        public void Divide(int blockRows, int blockPanels)
        {
            (rowsOfBlock, panelsOfBlock) = (blockRows, blockPanels);
            columnBlocks = DivideUp(Panels.CountFor(N), blockPanels);
            Blocks = DivideUp(M, blockRows) * columnBlocks;
        }

        public readonly void Run(int index, int worker)
        {
            if (Phase == Phase.Pack)
            {
                var last = Math.Min((index + 1) * PackPanels, Panels.CountFor(N));
                Panels.PackPanels(Packed, B, K, N, TransposeB ? K : N, TransposeB, index * PackPanels, last);
                return;
            }
            var row = index / columnBlocks * rowsOfBlock;
            var first = index % columnBlocks * panelsOfBlock;
            var rows = Math.Min(rowsOfBlock, M - row);
            var panels = Math.Min(panelsOfBlock, Panels.CountFor(N) - first);
            if (Phase == Phase.Multiply) Multiply(row, rows, first, panels, worker);
            else MultiplyLong(row, rows, first, panels, worker);
        }

        private readonly void Multiply(int row, int rows, int first, int panels, int worker)
        {
            unchecked
            {
                var b = Panels.At(Packed, K, N);
                var c = C + ((nint)row * N);
                if (!TransposeA)
                {
                    TileProduct.MultiplyPanels<TKernel>(c, N, A + ((nint)row * K), K, 1, b, first, first + panels, rows, Accumulate);
                    return;
                }
                var a = (float*)Workers.Scratch(worker, (nuint)(rows * Math.Max(1, K)) * sizeof(float));
                Transposition.CopyRows(a, A + row, M, K, rows, rows);
                TileProduct.MultiplyPanels<TKernel>(c, N, a, 1, rows, b, first, first + panels, rows, Accumulate);
            }
        }

        private readonly void MultiplyLong(int row, int rows, int first, int panels, int worker)
        {
            unchecked
            {
                var aScratch = (float*)Workers.Scratch(worker, LongScratchBytes);
                var bScratch = aScratch + (TileProduct.ChunkDepth * BlockRows);
                var column = first * Panels.Width;
                var columns = Math.Min(panels * Panels.Width, N - column);
                // Rows of B are read where they lie; only a last panel that is not full, and a transposed B, must be packed.
                var direct = TransposeB ? 0 : columns / Panels.Width * Panels.Width;
                for (var k = 0; k < K; k += TileProduct.ChunkDepth)
                {
                    var depth = Math.Min(TileProduct.ChunkDepth, K - k);
                    var add = Accumulate || k > 0;
                    var a = A + ((nint)row * K) + k;
                    if (TransposeA) Transposition.ToTiles(a = aScratch, A + ((nint)k * M) + row, M, depth, rows, TKernel.Rows);
                    var b = B + (TransposeB ? ((nint)column * K) + k : ((nint)k * N) + column);
                    if (direct > 0) Chunk(a, Panels.OfRows(b, depth, direct, N), row, rows, column, add);
                    if (direct == columns) continue;
                    var packed = Panels.Pack(bScratch, b + direct, depth, columns - direct, TransposeB ? K : N, TransposeB);
                    Chunk(a, packed, row, rows, column + direct, add);
                }
            }
        }

        private readonly void Chunk(float* a, Panels b, int row, int rows, int column, bool add)
        {
            unchecked
            {
                var c = C + ((nint)row * N) + column;
                if (!TransposeA)
                {
                    TileProduct.Chain<TKernel>(c, N, a, K, 1, b, 0, b.Count, rows, add);
                    return;
                }
                for (var r = 0; r < rows; r += TKernel.Rows)
                {
                    TileProduct.Chain<TKernel>(c + (r * N), N, a + (r * b.Depth), 1, TKernel.Rows, b, 0, b.Count, Math.Min(TKernel.Rows, rows - r), add);
                }
            }
        }
    }
}
