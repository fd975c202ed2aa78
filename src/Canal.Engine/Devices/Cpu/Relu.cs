using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>y = max(x, 0), NaN stays NaN; dx = dy where y > 0, else 0.</summary>
internal static unsafe class ReluKernels
{
    public static void Forward<V>(in ReluForward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new ForwardBody<V> { Y = (float*)operation.Y.Address, X = (float*)operation.X.Address, Count = operation.X.Count };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    public static void Backward<V>(in ReluBackward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new BackwardBody<V>
        {
            DX = (float*)operation.DX.Address,
            DY = (float*)operation.DY.Address,
            Y = (float*)operation.Y.Address,
            Count = operation.Y.Count,
            Accumulate = operation.Accumulate,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    private struct ForwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Y;
        public float* X;
        public long Count;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var (first, count) = ((long)index * Chunks.Elements, Chunks.Length(index, Count));
                for (var i = 0; i < count; i += V.Count)
                {
                    var x = V.Load(X + first + i, count - i);
                    V.Store(V.Select(V.LessThan(x, V.Zero), V.Zero, x), Y + first + i, count - i);
                }
            }
        }
    }

    private struct BackwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* DX;
        public float* DY;
        public float* Y;
        public long Count;
        public bool Accumulate;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var (first, count) = ((long)index * Chunks.Elements, Chunks.Length(index, Count));
                for (var i = 0; i < count; i += V.Count)
                {
                    var lanes = count - i;
                    var y = V.Load(Y + first + i, lanes);
                    var gradient = V.Select(V.LessThan(V.Zero, y), V.Load(DY + first + i, lanes), V.Zero);
                    if (Accumulate) gradient += V.Load(DX + first + i, lanes);
                    V.Store(gradient, DX + first + i, lanes);
                }
            }
        }
    }
}
