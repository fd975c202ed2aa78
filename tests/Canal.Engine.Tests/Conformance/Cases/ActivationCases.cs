using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class ActivationCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (n, c) in OperationCases.Shapes)
            {
                var shape = new Shape(n, c);
                foreach (var mean in new[] { 0.0, 100.0, -4.0 })
                {
                    var x = Argument.Read("x", shape, Sample.Normal(5, n * c, mean, 2));
                    var y = Argument.Read("y", shape, Array.ConvertAll(x.Floats, v => MathF.Max(v, 0)));
                    var dy = Argument.Read("dy", shape, Sample.Normal(6, n * c, mean));
                    yield return new GeluForwardCase { Name = $"gelu_forward {shape} mean {mean}", Arguments = [Argument.Write("y", shape), x] };
                    yield return new ReluForwardCase { Name = $"relu_forward {shape} mean {mean}", Arguments = [Argument.Write("y", shape), x] };
                    foreach (var accumulate in new[] { false, true })
                    {
                        var (dx, suffix) = (Argument.Gradient("dx", shape, accumulate), accumulate ? " accumulate" : "");
                        yield return new GeluBackwardCase { Name = $"gelu_backward {shape} mean {mean}{suffix}", Arguments = [dx, dy, x], Accumulate = accumulate };
                        yield return new ReluBackwardCase { Name = $"relu_backward {shape} mean {mean}{suffix}", Arguments = [dx, dy, y], Accumulate = accumulate };
                    }
                }
            }
        }
    }

    private sealed class GeluForwardCase : OperationCase
    {
        public override Type Operation => typeof(GeluForward);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new GeluForward(tensor("y"), tensor("x")));

        public override T[] Expect<T>(string output) => GeluReference.Forward(Values<T>("x"));

        // x · 1: Phi is computed to the roundoff of 1, in the far tail too.
        public override double LargestIntermediate(string output) => Largest("x");
    }

    private sealed class GeluBackwardCase : OperationCase
    {
        public required bool Accumulate { get; init; }

        public override Type Operation => typeof(GeluBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new GeluBackward(tensor("dx"), tensor("dy"), tensor("x"), Accumulate));

        public override T[] Expect<T>(string output) => GeluReference.Backward(Values<T>("dy"), Values<T>("x"));

        // dy (Phi + x phi): x phi reaches 0.24, x^2 / 2 in its exponent is rounded at its own scale and damped by phi.
        public override double LargestIntermediate(string output) => 1.5 * Largest("dy");
    }

    private sealed class ReluForwardCase : OperationCase
    {
        public override Type Operation => typeof(ReluForward);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new ReluForward(tensor("y"), tensor("x")));

        public override T[] Expect<T>(string output) => Array.ConvertAll(Values<T>("x"), v => v > T.Zero ? v : T.Zero);
    }

    private sealed class ReluBackwardCase : OperationCase
    {
        public required bool Accumulate { get; init; }

        public override Type Operation => typeof(ReluBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new ReluBackward(tensor("dx"), tensor("dy"), tensor("y"), Accumulate));

        public override T[] Expect<T>(string output)
        {
            var (dx, y) = (Values<T>("dy"), Values<T>("y"));
            for (var i = 0; i < dx.Length; i++) dx[i] = y[i] > T.Zero ? dx[i] : T.Zero;
            return dx;
        }
    }
}
