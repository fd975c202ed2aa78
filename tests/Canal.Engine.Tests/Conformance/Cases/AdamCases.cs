using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class AdamCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var count in new[] { 1, 31, 33, 16387, 40009 })
            {
                var shape = new Shape(count);
                foreach (var (amsgrad, clipped, step) in new[] { (false, false, 1), (true, false, 7), (true, true, 1000) })
                {
                    Argument[] optional =
                    [
                        .. amsgrad ? new[] { Argument.Update("largest", shape, Sample.Uniform(30, count, 0, 0.02)) } : [],
                        .. clipped ? new[] { Argument.Read("scale", new Shape(1), new[] { 0.3f }) } : [],
                    ];
                    yield return new UpdateCase
                    {
                        Name = $"adam {shape} step {step}{(amsgrad ? " amsgrad" : "")}{(clipped ? " clipped" : "")}",
                        Step = step,
                        Arguments =
                        [
                            Argument.Update("parameters", shape, Sample.Normal(31, count)),
                            Argument.Read("gradients", shape, Sample.Normal(32, count, 0, 0.1)),
                            Argument.Update("first", shape, Sample.Normal(33, count, 0, 0.1)),
                            Argument.Update("second", shape, Sample.Uniform(34, count, 0, 0.01)),
                            Argument.Read("coefficients", new Shape(2), UpdateCase.Coefficients(step)),
                            .. optional,
                        ],
                    };
                }
                foreach (var maximum in new[] { 1f, 1e6f, float.PositiveInfinity })
                {
                    yield return new NormCase
                    {
                        Name = $"gradient_norm {shape} maximum {maximum}",
                        Maximum = maximum,
                        Arguments = [Argument.Write("norm", new Shape(1)), Argument.Write("scale", new Shape(1)), Argument.Read("gradients", shape, Sample.Normal(35, count, 1))],
                    };
                }
            }
        }
    }

    private sealed class UpdateCase : OperationCase
    {
        private const double Rate = 2e-4;
        private const double Beta1 = 0.9;
        private const double Beta2 = 0.999;

        public required int Step { get; init; }

        public override Type Operation => typeof(AdamUpdate);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new AdamUpdate(
            tensor("parameters"), tensor("gradients"), tensor("first"), tensor("second"), tensor("largest"), tensor("scale"),
            tensor("coefficients"), Tensor.None, Beta1, Beta2, 1e-8));

        /// <summary>As the optimiser sends them.</summary>
        public static float[] Coefficients(int step)
        {
            var coefficients = new float[2];
            AdamUpdate.StepCoefficients(coefficients, step, Rate, Beta1, Beta2);
            return coefficients;
        }

        public override T[] Expect<T>(string output)
        {
            var (parameters, first, second, largest) = AdamReference.Update(
                Values<T>("parameters"), Values<T>("gradients"), Values<T>("first"), Values<T>("second"),
                Arguments.Any(a => a.Name == "largest") ? Values<T>("largest") : null,
                Arguments.Any(a => a.Name == "scale") ? 0.3f : 1, Step, Rate, Beta1, Beta2, 1e-8);
            return output switch { "parameters" => parameters, "first" => first, "second" => second, _ => largest! };
        }
    }

    private sealed class NormCase : OperationCase
    {
        public required float Maximum { get; init; }

        public override Type Operation => typeof(GradientNorm);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new GradientNorm(tensor("norm"), tensor("scale"), tensor("gradients"), Maximum));

        public override T[] Expect<T>(string output)
        {
            var sum = T.Zero;
            foreach (var g in Values<T>("gradients")) sum += g * g;
            var norm = T.Sqrt(sum);
            return output == "norm" ? [norm] : [T.Min(T.One, T.CreateChecked(Maximum) / (norm + T.CreateChecked(1e-6)))];
        }
    }
}
