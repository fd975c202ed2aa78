using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>One step of Adam over all parameters, in the order of operations of PyTorch's CPU kernel; the norm of all gradients.</summary>
internal static unsafe class AdamKernels
{
    // torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6.
    private const float ClippingEpsilon = 1e-6f;

    public static void Update<V>(in AdamUpdate operation, CpuDevice device) where V : struct, IVector<V>
    {
        if (!operation.HalfCopy.IsNone) throw new ArgumentException("adam: HalfCopy is given, but the CPU computes in float32 alone.");
        var coefficients = (float*)operation.Coefficients.Address;
        var body = new UpdateBody<V>
        {
            Parameters = (float*)operation.Parameters.Address,
            Gradients = (float*)operation.Gradients.Address,
            First = (float*)operation.FirstMoment.Address,
            Second = (float*)operation.SecondMoment.Address,
            Largest = operation.LargestSecondMoment.IsNone ? null : (float*)operation.LargestSecondMoment.Address,
            GradientScale = operation.GradientScale.IsNone ? 1 : *(float*)operation.GradientScale.Address,
            Count = operation.Parameters.Count,
            Beta1 = (float)operation.Beta1,
            OneMinusBeta1 = (float)(1 - operation.Beta1),
            Beta2 = (float)operation.Beta2,
            OneMinusBeta2 = (float)(1 - operation.Beta2),
            MinusStepSize = coefficients[0],
            RootCorrection2 = coefficients[1],
            Epsilon = (float)operation.Epsilon,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Count));
    }

    public static void Norm<V>(in GradientNorm operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new NormBody<V>
        {
            Partials = (double*)device.OperationScratch,
            Gradients = (float*)operation.Gradients.Address,
            Count = operation.Gradients.Count,
        };
        var chunks = RowReduction.Chunks(body.Count);
        device.Workers.Run(ref body, chunks);
        var sum = 0.0;
        for (var chunk = 0; chunk < chunks; chunk++) sum += body.Partials[chunk];
        var norm = (float)Math.Sqrt(sum);
        *(float*)operation.Norm.Address = norm;
        *(float*)operation.Scale.Address = MathF.Min(1, operation.MaximumNorm / (norm + ClippingEpsilon));
    }

    private struct UpdateBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Parameters;
        public float* Gradients;
        public float* First;
        public float* Second;
        public float* Largest;
        public float GradientScale;
        public long Count;
        public float Beta1;
        public float OneMinusBeta1;
        public float Beta2;
        public float OneMinusBeta2;
        public float MinusStepSize;
        public float RootCorrection2;
        public float Epsilon;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var first = (long)index * Chunks.Elements;
                var last = first + Chunks.Length(index, Count);
                for (var i = first; i < last; i += V.Count) Update(i, (int)Math.Min(V.Count, last - i));
            }
        }

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
        private readonly void Update(long i, int lanes)
        {
            unchecked
            {
                var g = V.Load(Gradients + i, lanes) * V.Create(GradientScale);
                var m = V.FusedMultiplyAdd(g, V.Create(OneMinusBeta1), V.Load(First + i, lanes) * V.Create(Beta1));
                var v = V.FusedMultiplyAdd(V.Create(OneMinusBeta2) * g, g, V.Load(Second + i, lanes) * V.Create(Beta2));
                V.Store(m, First + i, lanes);
                V.Store(v, Second + i, lanes);
                if (Largest != null)
                {
                    v = V.Max(V.Load(Largest + i, lanes), v);
                    V.Store(v, Largest + i, lanes);
                }
                var denominator = (V.Sqrt(v) / V.Create(RootCorrection2)) + V.Create(Epsilon);
                V.Store(V.Load(Parameters + i, lanes) + (V.Create(MinusStepSize) * m / denominator), Parameters + i, lanes);
            }
        }
    }

    // A chunk's sum of squares in sixteen float32 lanes of 1,024 additions each; chunks are added in float64.
    private struct NormBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public double* Partials;
        public float* Gradients;
        public long Count;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var first = (long)index * RowReduction.ChunkElements;
                var count = (int)Math.Min(RowReduction.ChunkElements, Count - first);
                Partials[index] = Reduce.SquaredDeviations<V>(Gradients + first, 0, count);
            }
        }
    }
}
