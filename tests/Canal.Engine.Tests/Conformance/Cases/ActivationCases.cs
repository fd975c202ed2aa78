using System.Numerics;
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
            foreach (var (n, c, type, suffix) in OperationCases.Typed((130, 136)))
            {
                foreach (var mean in new[] { 0.0, 100.0, -4.0 })
                {
                    var (x, dy) = (Sample.Normal(5, n * c, mean, 2), Sample.Normal(6, n * c, mean));
                    foreach (var operation in Cases($"[{n}, {c}] mean {mean}{suffix}", new Shape(n, c), type, x, dy)) yield return operation;
                }
                var bias = Argument.Read("bias", new Shape(c), Sample.Normal(8, c, 1));
                foreach (var operation in Cases($"[{n}, {c}] bias{suffix}", new Shape(n, c), type, Sample.Normal(5, n * c, -1, 2), Sample.Normal(6, n * c), bias))
                {
                    yield return operation;
                }
            }
            // Either side of where erf and exp change their formulas, where they vanish, and where x^2 overflows.
            float[] edges = [0, 1e-38f, 1e-7f, 0.5f, 1, 1.41f, 1.42f, 3, 5.5f, 5.6f, 9, 13, 14.4f, 20, 88, 1e4f, 3e19f, 3e38f];
            foreach (var (type, suffix) in new[] { (DType.Float32, ""), (DType.BFloat16, " bf16") })
            {
                float[] x = [.. edges, .. edges.Select(v => -v)];
                foreach (var operation in Cases($"edges{suffix}", new Shape(x.Length), type, x, Sample.Normal(6, x.Length))) yield return operation;
            }
        }
    }

    private static IEnumerable<OperationCase> Cases(string name, Shape shape, DType type, float[] inputs, float[] gradients, Argument? bias = null)
    {
        var (x, dy) = (Argument.Read("x", shape, inputs, type), Argument.Read("dy", shape, gradients, type));
        Argument[] biases = bias is null ? [] : [bias];
        var y = Argument.Read("y", shape, Array.ConvertAll(x.Floats, v => MathF.Max(v, 0)), type);
        yield return new GeluForwardCase { Name = $"gelu_forward {name}", Arguments = [Argument.Write("y", shape, type), x, .. biases] };
        if (bias is null) yield return new ReluForwardCase { Name = $"relu_forward {name}", Arguments = [Argument.Write("y", shape, type), x] };
        foreach (var accumulate in new[] { false, true })
        {
            var (dx, suffix) = (Argument.Gradient("dx", shape, accumulate, type), accumulate ? " accumulate" : "");
            yield return new GeluBackwardCase { Name = $"gelu_backward {name}{suffix}", Arguments = [dx, dy, x, .. biases], Accumulate = accumulate };
            if (bias is null) yield return new ReluBackwardCase { Name = $"relu_backward {name}{suffix}", Arguments = [dx, dy, y], Accumulate = accumulate };
        }
    }

    private static T[] Biased<T>(T[] x, T[]? bias) where T : IFloatingPointIeee754<T>
    {
        for (var i = 0; bias is not null && i < x.Length; i++) x[i] += bias[i % bias.Length];
        return x;
    }

    private sealed class GeluForwardCase : OperationCase
    {
        public override Type Operation => typeof(GeluForward);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new GeluForward(tensor("y"), tensor("x"), tensor("bias")));

        public override T[] Expect<T>(string output) => GeluReference.Forward(Biased(Values<T>("x"), Arguments.Length > 2 ? Values<T>("bias") : null));

        // x · 1: Phi is computed to the roundoff of 1, in the far tail too.
        public override double LargestIntermediate(string output) => Largest("x") + (Arguments.Length > 2 ? Largest("bias") : 0);
    }

    private sealed class GeluBackwardCase : OperationCase
    {
        public required bool Accumulate { get; init; }

        public override Type Operation => typeof(GeluBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new GeluBackward(tensor("dx"), tensor("dy"), tensor("x"), Accumulate, tensor("bias")));

        public override T[] Expect<T>(string output) => GeluReference.Backward(Values<T>("dy"), Biased(Values<T>("x"), Arguments.Length > 3 ? Values<T>("bias") : null));

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
