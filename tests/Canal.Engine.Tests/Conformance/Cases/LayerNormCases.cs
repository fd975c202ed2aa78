using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class LayerNormCases
{
    private const float Epsilon = 1e-5f;

    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (n, c, type, half) in OperationCases.Typed(OperationCases.RowShapes))
            {
                foreach (var mean in new[] { 0.0, 100.0 })
                {
                    var (matrix, rows, channels) = (new Shape(n, c), new Shape(n), new Shape(c));
                    var x = Argument.Read("x", matrix, Sample.Normal(7, n * c, mean));
                    var gamma = Argument.Read("gamma", channels, Sample.Normal(8, c, 1));
                    var beta = Argument.Read("beta", channels, Sample.Normal(9, c));
                    var (_, m, r) = LayerNormReference.Forward(Array.ConvertAll(x.Floats, v => (double)v), new double[c], new double[c], Epsilon);
                    var kept = new[] { Argument.Read("mean", rows, ToFloats(m)), Argument.Read("rstd", rows, ToFloats(r)) };
                    var dy = Argument.Read("dy", matrix, Sample.Normal(10, n * c, mean / 50), type);
                    var suffix = $"{matrix} mean {mean}{half}";
                    yield return new ForwardCase
                    {
                        Name = $"layer_norm_forward {suffix}",
                        Arguments = [Argument.Write("y", matrix, type), Argument.Write("mean", rows), Argument.Write("rstd", rows), x, gamma, beta],
                    };
                    if (n == 33) yield return new ForwardCase { Name = $"layer_norm_forward {suffix} frozen", Arguments = [Argument.Write("y", matrix, type), x, gamma, beta] };
                    Argument[] parameters = [Argument.Accumulate("dgamma", channels), Argument.Accumulate("dbeta", channels)];
                    Argument[] inputs = [dy, x, .. kept, gamma];
                    yield return new BackwardCase { Name = $"layer_norm_backward {suffix}", Arguments = [Argument.Write("dx", matrix), .. parameters, .. inputs] };
                    yield return new BackwardCase { Name = $"layer_norm_backward {suffix} accumulate", Arguments = [Argument.Accumulate("dx", matrix), .. parameters, .. inputs], Accumulate = true };
                    if (n != 33) continue;
                    yield return new BackwardCase { Name = $"layer_norm_backward {suffix} frozen", Arguments = [Argument.Write("dx", matrix), .. inputs] };
                    yield return new BackwardCase { Name = $"layer_norm_backward {suffix} first", Arguments = [.. parameters, .. inputs] };
                    yield return new BackwardCase { Name = $"layer_norm_backward {suffix} beta", Arguments = [parameters[1], .. inputs] };
                }
            }
        }
    }

    private static float[] ToFloats(double[] values) => Array.ConvertAll(values, v => (float)v);

    private sealed class ForwardCase : OperationCase
    {
        public override Type Operation => typeof(LayerNormForward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new LayerNormForward(tensor("y"), tensor("mean"), tensor("rstd"), tensor("x"), tensor("gamma"), tensor("beta"), Epsilon));

        public override T[] Expect<T>(string output)
        {
            var (y, mean, rstd) = LayerNormReference.Forward(Values<T>("x"), Values<T>("gamma"), Values<T>("beta"), Epsilon);
            return output switch { "y" => y, "mean" => mean, _ => rstd };
        }

        // x rstd gamma, before the mean is taken off; rstd is as exact as x relative to the spread.
        public override double LargestIntermediate(string output)
        {
            var (_, _, rstd) = LayerNormReference.Forward(Values<double>("x"), Values<double>("gamma"), Values<double>("beta"), Epsilon);
            var normalised = Math.Max(1, Largest("x") * rstd.Max());
            return output switch { "y" => (normalised * Largest("gamma")) + Largest("beta"), "mean" => Largest("x"), _ => rstd.Max() * normalised };
        }
    }

    private sealed class BackwardCase : OperationCase
    {
        public bool Accumulate { get; init; }

        public override Type Operation => typeof(LayerNormBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new LayerNormBackward(
            tensor("dx"), tensor("dgamma"), tensor("dbeta"), tensor("dy"), tensor("x"), tensor("mean"), tensor("rstd"), tensor("gamma"), Accumulate));

        public override T[] Expect<T>(string output)
        {
            var (dx, dgamma, dbeta) = LayerNormReference.Backward(Values<T>("dy"), Values<T>("x"), Values<T>("mean"), Values<T>("rstd"), Values<T>("gamma"));
            return output switch { "dx" => dx, "dgamma" => dgamma, _ => dbeta };
        }

        public override double LargestIntermediate(string output)
        {
            var (dy, c) = (Values<double>("dy"), (int)Arguments.First(a => a.Name == "gamma").Shape.Count);
            var normalised = Math.Max(1, Largest("x") * Largest("rstd"));
            return output switch
            {
                "dx" => Largest("dy") * Largest("gamma") * Largest("rstd") * normalised,
                "dgamma" => ElementwiseCases.ColumnMagnitude(dy, c) * normalised,
                _ => ElementwiseCases.ColumnMagnitude(dy, c),
            };
        }
    }
}
