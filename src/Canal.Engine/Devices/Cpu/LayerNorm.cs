using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// Forward: mean = sum x / C, rstd = 1 / sqrt(sum (x - mean)^2 / C + eps) in two passes, y = (x - mean) rstd gamma + beta.
/// Backward, with g = dy gamma and n = (x - mean) rstd: dx = rstd (g - mean(g) - n mean(g n)), dgamma += sum dy n, dbeta += sum dy.
/// </summary>
internal static unsafe class LayerNormKernels
{
    public static void Forward<V>(in LayerNormForward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new ForwardBody<V>
        {
            Y = (float*)operation.Y.Address,
            Mean = AddressOrNull(operation.Mean),
            Rstd = AddressOrNull(operation.Rstd),
            X = (float*)operation.X.Address,
            Gamma = (float*)operation.Gamma.Address,
            Beta = (float*)operation.Beta.Address,
            Epsilon = operation.Epsilon,
            Rows = operation.X.Shape.Rows,
            Columns = operation.X.Shape.Columns,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Rows, Chunks.Rows(body.Columns)));
    }

    public static void Backward<V>(in LayerNormBackward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new BackwardBody<V>
        {
            DX = AddressOrNull(operation.DX),
            Partials = (float*)device.OperationScratch,
            DY = (float*)operation.DY.Address,
            X = (float*)operation.X.Address,
            Mean = (float*)operation.Mean.Address,
            Rstd = (float*)operation.Rstd.Address,
            Gamma = (float*)operation.Gamma.Address,
            Rows = operation.X.Shape.Rows,
            Columns = operation.X.Shape.Columns,
            Accumulate = operation.Accumulate,
        };
        var (chunks, columns) = (RowReduction.Chunks(body.Rows), body.Columns);
        device.Workers.Run(ref body, chunks);
        if (!operation.DGamma.IsNone) RowSums.Merge<V>((float*)operation.DGamma.Address, body.Partials, chunks, 2 * columns, columns);
        if (!operation.DBeta.IsNone) RowSums.Merge<V>((float*)operation.DBeta.Address, body.Partials + columns, chunks, 2 * columns, columns);
    }

    /// <summary>Normalises one row; y may be x. The fused encoder block uses it too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Row<V>(float* y, float* x, float* gamma, float* beta, int count, float epsilon, out float mean, out float rstd)
        where V : struct, IVector<V>
    {
        unchecked
        {
            mean = Reduce.Sum<V>(x, count) / count;
            rstd = 1f / MathF.Sqrt((Reduce.SquaredDeviations<V>(x, mean, count) / count) + epsilon);
            var (m, r) = (V.Create(mean), V.Create(rstd));
            for (var c = 0; c < count; c += V.Count)
            {
                var lanes = count - c;
                var normalised = (V.Load(x + c, lanes) - m) * r;
                V.Store(V.FusedMultiplyAdd(normalised, V.Load(gamma + c, lanes), V.Load(beta + c, lanes)), y + c, lanes);
            }
        }
    }

    private static float* AddressOrNull(Tensor tensor) => tensor.IsNone ? null : (float*)tensor.Address;

    private struct ForwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Y;
        public float* Mean;
        public float* Rstd;
        public float* X;
        public float* Gamma;
        public float* Beta;
        public float Epsilon;
        public int Rows;
        public int Columns;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var rows = Chunks.Rows(Columns);
                var last = Math.Min((index + 1) * rows, Rows);
                for (var n = index * rows; n < last; n++)
                {
                    var first = (long)n * Columns;
                    Row<V>(Y + first, X + first, Gamma, Beta, Columns, Epsilon, out var mean, out var rstd);
                    if (Mean != null) Mean[n] = mean;
                    if (Rstd != null) Rstd[n] = rstd;
                }
            }
        }
    }

    private struct BackwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* DX;
        public float* Partials;
        public float* DY;
        public float* X;
        public float* Mean;
        public float* Rstd;
        public float* Gamma;
        public int Rows;
        public int Columns;
        public bool Accumulate;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var first = index * RowReduction.ChunkRows;
                var last = Math.Min(first + RowReduction.ChunkRows, Rows);
                var dgamma = Partials == null ? null : Partials + ((long)index * 2 * Columns);
                if (dgamma != null) new Span<float>(dgamma, 2 * Columns).Clear();
                for (var n = first; n < last; n++)
                {
                    var at = (long)n * Columns;
                    if (dgamma != null) AddParameters(dgamma, DY + at, X + at, Mean[n], Rstd[n]);
                    if (DX != null) InputRow(DX + at, DY + at, X + at, Mean[n], Rstd[n]);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void AddParameters(float* dgamma, float* dy, float* x, float mean, float rstd)
        {
            unchecked
            {
                var dbeta = dgamma + Columns;
                var (m, r) = (V.Create(mean), V.Create(rstd));
                for (var c = 0; c < Columns; c += V.Count)
                {
                    var lanes = Columns - c;
                    var gradient = V.Load(dy + c, lanes);
                    var normalised = (V.Load(x + c, lanes) - m) * r;
                    V.Store(V.FusedMultiplyAdd(gradient, normalised, V.Load(dgamma + c, lanes)), dgamma + c, lanes);
                    V.Store(V.Load(dbeta + c, lanes) + gradient, dbeta + c, lanes);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void InputRow(float* dx, float* dy, float* x, float mean, float rstd)
        {
            unchecked
            {
                // mean(g) and mean(g n), in sixteen lanes each, kept in plain locals (see Reduce).
                V g0 = V.Zero, g1 = V.Zero, g2 = V.Zero, g3 = V.Zero;
                V p0 = V.Zero, p1 = V.Zero, p2 = V.Zero, p3 = V.Zero;
                var (m, r) = (V.Create(mean), V.Create(rstd));
                var i = 0;
                for (; i <= Columns - Lanes16<V>.Count; i += Lanes16<V>.Count)
                {
                    Add(ref g0, ref p0, dy + i, Gamma + i, x + i, m, r);
                    if (V.Count == 16) continue;
                    Add(ref g1, ref p1, dy + i + V.Count, Gamma + i + V.Count, x + i + V.Count, m, r);
                    if (V.Count == 8) continue;
                    Add(ref g2, ref p2, dy + i + (2 * V.Count), Gamma + i + (2 * V.Count), x + i + (2 * V.Count), m, r);
                    Add(ref g3, ref p3, dy + i + (3 * V.Count), Gamma + i + (3 * V.Count), x + i + (3 * V.Count), m, r);
                }
                var (sums, products) = (Lanes16<V>.Of(g0, g1, g2, g3), Lanes16<V>.Of(p0, p1, p2, p3));
                if (i < Columns)
                {
                    var count = Columns - i;
                    AddBlock(ref sums, ref products, Lanes16<V>.Load(dy + i, count, 0), Lanes16<V>.Load(Gamma + i, count, 0), Lanes16<V>.Load(x + i, count, mean), Lanes16<V>.Create(-mean), Lanes16<V>.Create(rstd));
                }
                var (meanG, meanGN) = (V.Create(sums.Sum() / Columns), V.Create(products.Sum() / Columns));
                for (var c = 0; c < Columns; c += V.Count)
                {
                    var lanes = Columns - c;
                    var normalised = (V.Load(x + c, lanes) - m) * r;
                    var centred = (V.Load(dy + c, lanes) * V.Load(Gamma + c, lanes)) - meanG;
                    var gradient = V.FusedNegatedMultiplyAdd(normalised, meanGN, centred) * r;
                    if (Accumulate) gradient += V.Load(dx + c, lanes);
                    V.Store(gradient, dx + c, lanes);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Add(ref V sum, ref V product, float* dy, float* gamma, float* x, V mean, V rstd)
        {
            var g = V.Load(dy) * V.Load(gamma);
            sum += g;
            product = V.FusedMultiplyAdd(g, (V.Load(x) - mean) * rstd, product);
        }

        private static void AddBlock(
            ref Lanes16<V> sums, ref Lanes16<V> products, Lanes16<V> dy, Lanes16<V> gamma, Lanes16<V> x, Lanes16<V> minusMean, Lanes16<V> rstd)
        {
            var g = Lanes16<V>.Create(0);
            g.MultiplyAdd(dy, gamma);
            sums.Add(g);
            x.Add(minusMean);
            var normalised = Lanes16<V>.Create(0);
            normalised.MultiplyAdd(x, rstd);
            products.MultiplyAdd(g, normalised);
        }
    }
}
