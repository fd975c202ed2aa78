using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class CrossEntropyCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (n, k) in new[] { (1, 1), (1, 2), (5, 1), (31, 7), (67, 33), (129, 7), (14, 131), (1, 1031), (2101, 3), (70, 65) })
            {
                foreach (var (mean, deviation, smoothing) in new[] { (0.0, 4.0, 0f), (0.0, 4.0, 0.1f), (100.0, 4.0, 0.1f), (0.0, 1e4, 0.1f) })
                {
                    var (matrix, rows) = (new Shape(n, k), new Shape(n));
                    // One row in some has no label, as masked positions that were not drawn.
                    Argument[] inputs =
                    [
                        Argument.Read("logits", matrix, Sample.Normal(20, n * k, mean, deviation)),
                        Argument.Read("labels", rows, Sample.Integers(21, n, n == 1 ? 0 : -1, n == 1 ? k : k + 1)),
                    ];
                    var suffix = $"{matrix} mean {mean} deviation {deviation} smoothing {smoothing}";
                    yield return new ForwardCase { Name = $"cross_entropy_forward {suffix}", Smoothing = smoothing, Arguments = [Argument.Write("loss", rows), .. inputs] };
                    yield return new BackwardCase { Name = $"cross_entropy_backward {suffix}", Smoothing = smoothing, Arguments = [Argument.Write("dlogits", matrix), .. inputs] };
                    if (n != 31) continue;
                    Argument weight = Argument.Read("weight", new Shape(1), new[] { 1f / 3 });
                    yield return new BackwardCase { Name = $"cross_entropy_backward {suffix} weighted", Smoothing = smoothing, Arguments = [Argument.Write("dlogits", matrix), .. inputs, weight] };
                }
            }
            // Labels just outside on both sides, and far.
            Argument[] outside =
            [
                Argument.Read("logits", new Shape(6, 5), Sample.Normal(28, 30, 0, 4)), Argument.Read("labels", new Shape(6), new[] { -1, 5, 4, 0, int.MaxValue, int.MinValue }),
            ];
            yield return new ForwardCase { Name = "cross_entropy_forward labels outside", Smoothing = 0.1f, Arguments = [Argument.Write("loss", new Shape(6)), .. outside] };
            yield return new BackwardCase { Name = "cross_entropy_backward labels outside", Smoothing = 0.1f, Arguments = [Argument.Write("dlogits", new Shape(6, 5)), .. outside] };
        }
    }

    private sealed class ForwardCase : OperationCase
    {
        public required float Smoothing { get; init; }

        public override Type Operation => typeof(CrossEntropyForward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new CrossEntropyForward(tensor("loss"), tensor("logits"), tensor("labels"), Smoothing));

        public override T[] Expect<T>(string output) => CrossEntropyReference.Forward(Values<T>("logits"), Integers("labels"), Smoothing);
    }

    private sealed class BackwardCase : OperationCase
    {
        private const float Scale = 0.125f;

        public required float Smoothing { get; init; }

        public override Type Operation => typeof(CrossEntropyBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new CrossEntropyBackward(tensor("dlogits"), tensor("logits"), tensor("labels"), Smoothing, Scale, tensor("weight")));

        public override T[] Expect<T>(string output) => CrossEntropyReference.Backward(Values<T>("logits"), Integers("labels"), Smoothing, Scale * Weight);

        private float Weight => Array.Find(Arguments, argument => argument.Name == "weight")?.Floats[0] ?? 1;
    }
}
