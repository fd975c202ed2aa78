using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>y = x Phi(x); dx = dy (Phi(x) + x phi(x)), with Phi within 1e-7 (<see cref="VectorMath.NormalCdf{V}"/>).</summary>
internal static unsafe class GeluKernels
{
    public static void Forward<V>(in GeluForward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new ForwardBody<V> { Y = (float*)operation.Y.Address, X = (float*)operation.X.Address, Count = operation.X.Count };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    public static void Backward<V>(in GeluBackward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new BackwardBody<V>
        {
            DX = (float*)operation.DX.Address,
            DY = (float*)operation.DY.Address,
            X = (float*)operation.X.Address,
            Count = operation.X.Count,
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
            var first = (long)index * Chunks.Elements;
            VectorMath.Gelu<V>(Y + first, X + first, Chunks.Length(index, Count));
        }
    }

    private struct BackwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* DX;
        public float* DY;
        public float* X;
        public long Count;
        public bool Accumulate;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var (first, count) = ((long)index * Chunks.Elements, Chunks.Length(index, Count));
                var dx = DX + first;
                var dy = DY + first;
                var x = X + first;
                for (var i = 0; i < count; i += V.Count)
                {
                    var lanes = count - i;
                    var gradient = V.Load(dy + i, lanes) * VectorMath.GeluDerivative(V.Load(x + i, lanes));
                    if (Accumulate) gradient += V.Load(dx + i, lanes);
                    V.Store(gradient, dx + i, lanes);
                }
            }
        }
    }
}
