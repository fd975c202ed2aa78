using System.Numerics;
using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class ElementwiseCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (n, c, type, suffix) in OperationCases.Typed((130, 136)))
            {
                var (matrix, row) = (new Shape(n, c), new Shape(c));
                yield return new FillCase { Name = $"fill {matrix}{suffix}", Arguments = [Argument.Write("y", matrix, type)] };
                var x = Argument.Read("x", matrix, Sample.Normal(1, n * c, 100), type);
                yield return new AddCase { Name = $"add {matrix}{suffix}", Arguments = [Argument.Accumulate("y", matrix, type), x] };
                foreach (var to in new[] { DType.Float32, DType.Float16, DType.BFloat16 })
                {
                    yield return new ConvertCase { Name = $"convert {matrix}{suffix} to {to}", Arguments = [Argument.Write("y", matrix, to), x] };
                }
                Argument[] broadcast = [Argument.Write("y", matrix, type), Argument.Read("bias", row, Sample.Normal(2, c, 100))];
                yield return new BroadcastCase { Name = $"broadcast_bias {matrix}{suffix}", Arguments = broadcast };
                yield return new BroadcastCase
                {
                    Name = $"broadcast_bias {matrix}{suffix} residual",
                    Arguments = [.. broadcast, Argument.Read("residual", matrix, Sample.Normal(3, n * c, -3))],
                };
            }
            foreach (var (n, c, type, suffix) in OperationCases.Typed(OperationCases.RowShapes))
            {
                foreach (var mean in new[] { 0.0, 100.0 })
                {
                    yield return new ColumnSumCase
                    {
                        Name = $"column_sum [{n}, {c}] mean {mean}{suffix}",
                        Arguments = [Argument.Accumulate("dbias", new Shape(c)), Argument.Read("dy", new Shape(n, c), Sample.Normal(4, n * c, mean), type)],
                    };
                }
            }
        }
    }

    private sealed class FillCase : OperationCase
    {
        public override Type Operation => typeof(Fill);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new Fill(tensor("y"), 0.1f));

        public override T[] Expect<T>(string output)
        {
            var y = new T[Arguments[0].Shape.Count];
            Array.Fill(y, T.CreateChecked(0.1f));
            return y;
        }
    }

    private sealed class AddCase : OperationCase
    {
        public override Type Operation => typeof(Add);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new Add(tensor("y"), tensor("x")));

        public override T[] Expect<T>(string output) => Values<T>("x");
    }

    private sealed class ConvertCase : OperationCase
    {
        public override Type Operation => typeof(Engine.Operations.Convert);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new Engine.Operations.Convert(tensor("y"), tensor("x")));

        public override T[] Expect<T>(string output) => Values<T>("x");
    }

    private sealed class BroadcastCase : OperationCase
    {
        public override Type Operation => typeof(BroadcastBias);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new BroadcastBias(tensor("y"), tensor("bias"), tensor("residual")));

        public override T[] Expect<T>(string output)
        {
            var (y, bias) = (new T[Arguments[0].Shape.Count], Values<T>("bias"));
            if (Arguments.Length == 3) y = Values<T>("residual");
            for (var i = 0; i < y.Length; i++) y[i] += bias[i % bias.Length];
            return y;
        }
    }

    private sealed class ColumnSumCase : OperationCase
    {
        public override Type Operation => typeof(ColumnSum);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new ColumnSum(tensor("dbias"), tensor("dy")));

        public override T[] Expect<T>(string output) => RowReference.ColumnSum(Values<T>("dy"), (int)Arguments[0].Shape.Count);

        public override double LargestIntermediate(string output) => ColumnMagnitude(Values<double>("dy"), (int)Arguments[0].Shape.Count);
    }

    /// <summary>The largest partial sum that a sum over rows can meet.</summary>
    internal static double ColumnMagnitude<T>(T[] values, int columns) where T : IFloatingPointIeee754<T> =>
        double.CreateChecked(RowReference.ColumnSum(Array.ConvertAll(values, T.Abs), columns).Max()!);
}
