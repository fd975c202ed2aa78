using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>y = z Phi(z); dx = dy (Phi(z) + z phi(z)) of z = x + bias, with Phi within 1e-7 (<see cref="VectorMath.NormalCdf{V}"/>).</summary>
internal static unsafe class GeluKernels
{
    public static void Forward<V>(in GeluForward operation, CpuDevice device) where V : struct, IVector<V>
    {
        if (!operation.Bias.IsNone)
        {
            // The sum first, in y; then as without a bias, in place.
            ElementwiseKernels.BroadcastBias<V>(new BroadcastBias(operation.Y, operation.Bias, operation.X), device);
            Forward<V>(new GeluForward(operation.Y, operation.Y), device);
            return;
        }
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
            Bias = operation.Bias.IsNone ? null : (float*)operation.Bias.Address,
            Count = operation.X.Count,
            Columns = operation.Columns,
            Accumulate = operation.Accumulate,
        };
        if (body.Bias == null) device.Workers.Run(ref body, Chunks.Count(body.Count));
        else device.Workers.Run(ref body, Chunks.Count(operation.X.Shape.Rows, Chunks.Rows(body.Columns)));
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
        public float* Bias;
        public long Count;
        public int Columns;
        public bool Accumulate;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                if (Bias == null)
                {
                    var first = (long)index * Chunks.Elements;
                    Run(DX + first, DY + first, X + first, Chunks.Length(index, Count));
                    return;
                }
                var (rows, all) = (Chunks.Rows(Columns), Count / Columns);
                for (var n = (long)index * rows; n < Math.Min(((long)index + 1) * rows, all); n++) Run(DX + (n * Columns), DY + (n * Columns), X + (n * Columns), Columns);
            }
        }

        private readonly void Run(float* dx, float* dy, float* x, int count)
        {
            unchecked
            {
                // Copies: a store to dx could be one to this structure, so its fields would be loaded again for every vector.
                var bias = Bias;
                var accumulate = Accumulate;
                for (var i = 0; i < count; i += V.Count)
                {
                    var lanes = count - i;
                    var z = V.Load(x + i, lanes);
                    if (bias != null) z += V.Load(bias + i, lanes);
                    var gradient = V.Load(dy + i, lanes) * VectorMath.GeluDerivative(z);
                    if (accumulate) gradient += V.Load(dx + i, lanes);
                    V.Store(gradient, dx + i, lanes);
                }
            }
        }
    }
}
