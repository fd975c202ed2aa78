using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// loss = log sum exp(z) - (1 - s) z_y - s / K sum z; dz = scale (softmax(z) - target). Few numbers a cell, so all of it is float64
/// inside and rounded once: types that differ by a hundredth stay apart.
/// </summary>
internal static unsafe class CrossEntropyKernels
{
    public static void Forward(in CrossEntropyForward operation, CpuDevice device)
    {
        var body = new ForwardBody
        {
            Loss = (float*)operation.Loss.Address,
            Logits = (float*)operation.Logits.Address,
            Labels = (int*)operation.Labels.Address,
            Rows = operation.Logits.Shape.Rows,
            Types = operation.Logits.Shape.Columns,
            Smoothing = operation.Smoothing,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Rows, Rows));
    }

    public static void Backward(in CrossEntropyBackward operation, CpuDevice device)
    {
        var body = new BackwardBody
        {
            DLogits = (float*)operation.DLogits.Address,
            Logits = (float*)operation.Logits.Address,
            Labels = (int*)operation.Labels.Address,
            Rows = operation.Logits.Shape.Rows,
            Types = operation.Logits.Shape.Columns,
            Smoothing = operation.Smoothing,
            Scale = operation.Scale * (operation.RowWeight.IsNone ? 1.0 : *(float*)operation.RowWeight.Address),
        };
        device.Workers.Run(ref body, Chunks.Count(body.Rows, Rows));
    }

    // Rows a piece of work: an exponential costs some 10 ns, a piece should cost some microseconds.
    private const int Rows = 64;

    /// <summary>log sum exp(z / temperature), without overflow; NaN where any z is.</summary>
    public static double LogSumExp(float* z, int count, double temperature)
    {
        var largest = double.NegativeInfinity;
        for (var k = 0; k < count; k++) largest = Math.Max(largest, z[k]);
        var sum = 0.0;
        for (var k = 0; k < count; k++) sum += Math.Exp((z[k] - largest) / temperature);
        return (largest / temperature) + Math.Log(sum);
    }

    private struct ForwardBody : IParallelBody
    {
        public float* Loss;
        public float* Logits;
        public int* Labels;
        public int Rows;
        public int Types;
        public double Smoothing;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var last = Math.Min((index + 1) * CrossEntropyKernels.Rows, Rows);
                for (var n = index * CrossEntropyKernels.Rows; n < last; n++) Loss[n] = (uint)Labels[n] < (uint)Types ? (float)Row(n) : 0;
            }
        }

        private readonly double Row(int n)
        {
            unchecked
            {
                var z = Logits + ((long)n * Types);
                var sum = 0.0;
                for (var k = 0; k < Types; k++) sum += z[k];
                return LogSumExp(z, Types, 1) - ((1 - Smoothing) * z[Labels[n]]) - (Smoothing / Types * sum);
            }
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public float* DLogits;
        public float* Logits;
        public int* Labels;
        public int Rows;
        public int Types;
        public double Smoothing;
        public double Scale;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var last = Math.Min((index + 1) * CrossEntropyKernels.Rows, Rows);
                for (var n = index * CrossEntropyKernels.Rows; n < last; n++)
                {
                    if ((uint)Labels[n] < (uint)Types) Row(n);
                    else new Span<float>(DLogits + ((long)n * Types), Types).Clear();
                }
            }
        }

        private readonly void Row(int n)
        {
            unchecked
            {
                var z = Logits + ((long)n * Types);
                var dz = DLogits + ((long)n * Types);
                var normaliser = LogSumExp(z, Types, 1);
                var smooth = Smoothing / Types;
                for (var k = 0; k < Types; k++)
                {
                    var target = smooth + (k == Labels[n] ? 1 - Smoothing : 0);
                    dz[k] = (float)(Scale * (Math.Exp(z[k] - normaliser) - target));
                }
            }
        }
    }
}
