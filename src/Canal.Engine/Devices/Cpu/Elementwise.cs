using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>y = value; y += x.</summary>
internal static unsafe class ElementwiseKernels
{
    // Elements a piece of work: 64 KiB of float32, large against the cost of claiming a piece.
    private const int ChunkElements = 16384;

    public static void Fill(in Fill operation, CpuDevice device)
    {
        var body = new FillBody { Y = (float*)operation.Y.Address, Value = operation.Value, Count = operation.Y.Count };
        device.Workers.Run(ref body, Chunks(body.Count));
    }

    public static void Add(in Add operation, CpuDevice device)
    {
        var body = new AddBody { Y = (float*)operation.Y.Address, X = (float*)operation.X.Address, Count = operation.Y.Count };
        device.Workers.Run(ref body, Chunks(body.Count));
    }

    private static int Chunks(long count) => checked((int)((count + ChunkElements - 1) / ChunkElements));

    private struct FillBody : IParallelBody
    {
        public float* Y;
        public float Value;
        public long Count;

        public readonly void Run(int index, int worker)
        {
            var first = (long)index * ChunkElements;
            new Span<float>(Y + first, (int)Math.Min(ChunkElements, Count - first)).Fill(Value);
        }
    }

    private struct AddBody : IParallelBody
    {
        public float* Y;
        public float* X;
        public long Count;

        public readonly void Run(int index, int worker)
        {
            var first = (long)index * ChunkElements;
            var last = Math.Min(first + ChunkElements, Count);
            unchecked
            {
                for (var i = first; i < last; i++) Y[i] += X[i];
            }
        }
    }
}
