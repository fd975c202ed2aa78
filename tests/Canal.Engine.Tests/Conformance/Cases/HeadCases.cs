using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class HeadCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (b, r) in OperationCases.Shapes)
            {
                var shape = new Shape(b, r);
                Argument[] inputs = [Argument.Read("z", shape, Sample.Normal(22, b * r, 100)), Argument.Read("previous", shape, Sample.Normal(23, b * r, 100))];
                yield return new DistillationForwardCase { Name = $"distillation_forward {shape}", Arguments = [Argument.Write("loss", new Shape(1)), .. inputs] };
                yield return new DistillationBackwardCase { Name = $"distillation_backward {shape}", Arguments = [Argument.Accumulate("dz", shape), .. inputs] };
            }
            foreach (var (b, k) in new[] { (1, 1), (3, 2), (31, 3), (67, 33), (129, 131), (1, 1031) })
            {
                foreach (var (mean, deviation) in new[] { (0.0, 3.0), (100.0, 3.0), (0.0, 1e4) })
                {
                    yield return new PredictionCase
                    {
                        Name = $"prediction [{b}, {k}] mean {mean} deviation {deviation}",
                        Arguments = Prediction(b, k, Sample.Normal(24, b * k, mean, deviation)),
                    };
                }
            }
            yield return new PredictionCase { Name = "prediction ties", Arguments = Prediction(2, 5, new float[] { 1, 2, 2, 1, 2, 0, 0, 0, 0, 0 }) };
            yield return new PredictionCase { Name = "prediction ties between lanes", Arguments = Prediction(3, 1031, Ties(3, 1031)) };
            foreach (var (b, j, r) in new[] { (1, 1, 1), (1, 3, 1031), (3, 128, 33), (7, 5, 128) })
            {
                yield return new MixingCase
                {
                    Name = $"manifold_mixing [{b}, {j}, {r}]",
                    Arguments =
                    [
                        Argument.Write("mixed", new Shape(b, j, r)),
                        Argument.Read("own", new Shape(b, r), Sample.Normal(25, b * r, 1)),
                        Argument.Read("partner", new Shape(b, r), Sample.Normal(26, b * r, 2)),
                        Argument.Read("weights", new Shape(b, j), Sample.Uniform(27, b * j, 0, 1)),
                    ],
                };
            }
        }
    }

    // One value everywhere; two heights, the upper at few places; whole numbers from 0 to 3.
    private static float[] Ties(int b, int k)
    {
        var logits = Array.ConvertAll(Sample.Integers(29, b * k, 0, 4), v => (float)v);
        logits.AsSpan(0, 2 * k).Fill(1);
        foreach (var place in new[] { 1030, 999, 1000, 31 }) logits[k + place] = 2;
        return logits;
    }

    private static Argument[] Prediction(int b, int k, float[] logits) =>
    [
        Argument.WriteInt("types", new Shape(b, 3)), Argument.Write("probabilities", new Shape(b, 3)), Argument.Write("energy", new Shape(b)),
        Argument.Read("logits", new Shape(b, k), logits),
    ];

    private sealed class DistillationForwardCase : OperationCase
    {
        public override Type Operation => typeof(DistillationForward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new DistillationForward(tensor("loss"), tensor("z"), tensor("previous"), 0.07f));

        public override T[] Expect<T>(string output) => [HeadReference.Distillation(Values<T>("z"), Values<T>("previous"), 0.07f)];
    }

    private sealed class DistillationBackwardCase : OperationCase
    {
        public override Type Operation => typeof(DistillationBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new DistillationBackward(tensor("dz"), tensor("z"), tensor("previous"), 0.07f));

        public override T[] Expect<T>(string output) => HeadReference.DistillationBackward(Values<T>("z"), Values<T>("previous"), 0.07f);
    }

    private sealed class PredictionCase : OperationCase
    {
        private const float Temperature = 0.8f;

        public override Type Operation => typeof(Prediction);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new Prediction(tensor("types"), tensor("probabilities"), tensor("energy"), tensor("logits"), Temperature));

        public override T[] Expect<T>(string output)
        {
            var (types, probabilities, energy) = HeadReference.Predict(Values<T>("logits"), Arguments[3].Shape[1], Temperature);
            return output switch { "types" => Array.ConvertAll(types, v => T.CreateChecked(v)), "probabilities" => probabilities, _ => energy };
        }
    }

    private sealed class MixingCase : OperationCase
    {
        public override Type Operation => typeof(ManifoldMixing);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new ManifoldMixing(tensor("mixed"), tensor("own"), tensor("partner"), tensor("weights")));

        public override T[] Expect<T>(string output) =>
            HeadReference.Mix(Values<T>("own"), Values<T>("partner"), Values<T>("weights"), Arguments[0].Shape[1], Arguments[0].Shape[2]);

        public override double LargestIntermediate(string output) => Largest("own") + Largest("partner");
    }
}
