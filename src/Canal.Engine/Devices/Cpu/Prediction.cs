using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>The three most probable types and the energy of each cell, in float64 inside; mixtures of manifold vectors.</summary>
internal static unsafe class PredictionKernels
{
    private const int Best = 3;
    private const int Rows = 64;

    public static void Predict(in Prediction operation, CpuDevice device)
    {
        operation.RequireTemperature();
        var body = new PredictBody
        {
            Types = (int*)operation.Types.Address,
            Probabilities = (float*)operation.Probabilities.Address,
            Energy = (float*)operation.Energy.Address,
            Logits = (float*)operation.Logits.Address,
            Cells = operation.Logits.Shape.Rows,
            Count = operation.Logits.Shape.Columns,
            Temperature = operation.Temperature,
        };
        device.Workers.Run(ref body, Chunks.Count(body.Cells, Rows));
    }

    public static void Mix<V>(in ManifoldMixing operation, CpuDevice device) where V : struct, IVector<V>
    {
        var body = new MixBody<V>
        {
            Mixed = (float*)operation.Mixed.Address,
            Own = (float*)operation.Own.Address,
            Partner = (float*)operation.Partner.Address,
            Weights = (float*)operation.Weights.Address,
            Mixtures = operation.Weights.Shape[1],
            Units = operation.Own.Shape[1],
        };
        device.Workers.Run(ref body, operation.Weights.Shape[0]);
    }

    private struct PredictBody : IParallelBody
    {
        public int* Types;
        public float* Probabilities;
        public float* Energy;
        public float* Logits;
        public int Cells;
        public int Count;
        public double Temperature;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var last = Math.Min((index + 1) * Rows, Cells);
                for (var n = index * Rows; n < last; n++) Cell(n);
            }
        }

        private readonly void Cell(int n)
        {
            unchecked
            {
                var z = Logits + ((long)n * Count);
                var types = Types + ((long)n * Best);
                var normaliser = CrossEntropyKernels.LogSumExp(z, Count, 1);
                Energy[n] = (float)(-Temperature * CrossEntropyKernels.LogSumExp(z, Count, Temperature));
                for (var place = 0; place < Best; place++)
                {
                    types[place] = -1;
                    for (var k = 0; k < Count; k++)
                    {
                        if (place > 0 && k == types[0] || place > 1 && k == types[1]) continue;
                        if (types[place] < 0 || Rank(z[k]) > Rank(z[types[place]])) types[place] = k;
                    }
                    Probabilities[((long)n * Best) + place] = types[place] < 0 ? 0 : (float)Math.Exp(z[types[place]] - normaliser);
                }
            }
        }
    }

    // NaN is never better than a number, wherever it stands.
    private static float Rank(float z) => float.IsNaN(z) ? float.NegativeInfinity : z;

    private struct MixBody<V> : IParallelBody where V : struct, IVector<V>
    {
        public float* Mixed;
        public float* Own;
        public float* Partner;
        public float* Weights;
        public int Mixtures;
        public int Units;

        public readonly void Run(int index, int worker)
        {
            unchecked
            {
                var own = Own + ((long)index * Units);
                var partner = Partner + ((long)index * Units);
                for (var j = 0; j < Mixtures; j++)
                {
                    var row = ((long)index * Mixtures) + j;
                    var (w, rest) = (V.Create(Weights[row]), V.Create(1f - Weights[row]));
                    var mixed = Mixed + (row * Units);
                    for (var r = 0; r < Units; r += V.Count)
                    {
                        var lanes = Units - r;
                        V.Store((w * V.Load(own + r, lanes)) + (rest * V.Load(partner + r, lanes)), mixed + r, lanes);
                    }
                }
            }
        }
    }
}
