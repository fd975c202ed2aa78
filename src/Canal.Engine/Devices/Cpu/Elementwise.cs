using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>y = value; y += x; y = bias (+ residual).</summary>
internal static unsafe class ElementwiseKernels
{
    public static void Fill(in Fill operation, CpuDevice device)
    {
        var body = new FillBody { Y = (float*)operation.Y.Address, Value = operation.Value, Count = operation.Y.Count };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    public static void Add<V>(in Add operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new AddBody<V> { Y = (float*)operation.Y.Address, X = (float*)operation.X.Address, Count = operation.Y.Count };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    public static void BroadcastBias<V>(in BroadcastBias operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new BroadcastBody<V>
        {
            Y = (float*)operation.Y.Address,
            Bias = (float*)operation.Bias.Address,
            Residual = operation.Residual.IsNone ? null : (float*)operation.Residual.Address,
            Rows = operation.Y.Shape.Rows,
            Columns = operation.Y.Shape.Columns,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Rows, Chunks.Rows(body.Columns)));
    }

    private struct FillBody : IParallelBody
    {
        public float* Y;
        public float Value;
        public long Count;

        public readonly void Run(int index, int worker) =>
            new Span<float>(Y + ((long)index * Chunks.Elements), Chunks.Length(index, Count)).Fill(Value);
    }

    private struct AddBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Y;
        public float* X;
        public long Count;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var (first, count) = ((long)index * Chunks.Elements, Chunks.Length(index, Count));
                var y = Y + first;
                var x = X + first;
                var i = 0;
                for (; i <= count - V.Count; i += V.Count) V.Store(V.Load(y + i) + V.Load(x + i), y + i);
                if (i < count) V.Store(V.Load(y + i, count - i) + V.Load(x + i, count - i), y + i, count - i);
            }
        }
    }

    private struct BroadcastBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Y;
        public float* Bias;
        public float* Residual;
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
                    if (Residual == null) Buffer.MemoryCopy(Bias, Y + first, Columns * sizeof(float), Columns * sizeof(float));
                    else AddRow(Y + first, Bias, Residual + first, Columns);
                }
            }
        }

        private static void AddRow(float* y, float* bias, float* residual, int count)
        {
            unchecked
            {
                var i = 0;
                for (; i <= count - V.Count; i += V.Count) V.Store(V.Load(bias + i) + V.Load(residual + i), y + i);
                if (i < count) V.Store(V.Load(bias + i, count - i) + V.Load(residual + i, count - i), y + i, count - i);
            }
        }
    }
}
