using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>loss = weight mean((z - z°)^2); dz += 2 weight (z - z°) / count.</summary>
internal static unsafe class DistillationKernels
{
    /// <summary>One thread: a batch has some thousand representation units.</summary>
    public static void Forward(in DistillationForward operation, CpuDevice device)
    {
        var z = operation.Z.Span<float>();
        var previous = operation.ZPrevious.Span<float>();
        var sum = 0.0;
        for (var i = 0; i < z.Length; i++)
        {
            var difference = (double)z[i] - previous[i];
            sum += difference * difference;
        }
        *(float*)operation.Loss.Address = (float)(operation.Weight * sum / z.Length);
    }

    public static void Backward<V>(in DistillationBackward operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new BackwardBody<V>
        {
            DZ = (float*)operation.DZ.Address,
            Z = (float*)operation.Z.Address,
            ZPrevious = (float*)operation.ZPrevious.Address,
            Count = operation.Z.Count,
            Factor = (float)(2.0 * operation.Weight / operation.Z.Count),
        };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    private struct BackwardBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* DZ;
        public float* Z;
        public float* ZPrevious;
        public long Count;
        public float Factor;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var (first, count, factor) = ((long)index * Chunks.Elements, Chunks.Length(index, Count), V.Create(Factor));
                for (var i = 0; i < count; i += V.Count)
                {
                    var lanes = count - i;
                    var gradient = factor * (V.Load(Z + first + i, lanes) - V.Load(ZPrevious + first + i, lanes));
                    V.Store(V.Load(DZ + first + i, lanes) + gradient, DZ + first + i, lanes);
                }
            }
        }
    }
}
