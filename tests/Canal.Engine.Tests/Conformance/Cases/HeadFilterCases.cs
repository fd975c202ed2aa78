using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class HeadFilterCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (n, c, type, suffix) in OperationCases.Typed(OperationCases.RowShapes))
            {
                var (matrix, rows, channels, one) = (new Shape(n, c), new Shape(n), new Shape(c), new Shape(1));
                var y = Argument.Read("y", matrix, Sample.Normal(16, n * c, 0.5), type);
                var w = Argument.Read("w", channels, Sample.Normal(17, c));
                yield return new ForwardCase
                {
                    Name = $"head_filter_forward {matrix}{suffix}",
                    Arguments = [Argument.Write("u", rows), y, w, Argument.Read("bias", one, new[] { 0.25f })],
                };
                var u = Argument.Read("u", rows, Array.ConvertAll(Sample.Normal(18, n), v => MathF.Max(v, 0)));
                Argument[] inputs = [Argument.Read("du", rows, Sample.Normal(19, n, 1)), u, y, w];
                Argument[] parameters = [Argument.Accumulate("dw", channels), Argument.Accumulate("dbias", one)];
                yield return new BackwardCase { Name = $"head_filter_backward {matrix}{suffix}", Arguments = [Argument.Write("dy", matrix, type), .. parameters, .. inputs] };
                yield return new BackwardCase { Name = $"head_filter_backward {matrix}{suffix} first", Arguments = [.. parameters, .. inputs] };
                yield return new BackwardCase { Name = $"head_filter_backward {matrix}{suffix} frozen", Arguments = [Argument.Write("dy", matrix, type), .. inputs] };
            }
        }
    }

    private sealed class ForwardCase : OperationCase
    {
        public override Type Operation => typeof(HeadFilterForward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new HeadFilterForward(tensor("u"), tensor("y"), tensor("w"), tensor("bias")));

        public override T[] Expect<T>(string output) => RowReference.HeadFilter(Values<T>("y"), Values<T>("w"), Values<T>("bias")[0]);

        public override double LargestIntermediate(string output) => RowReference.HeadFilter(
            Array.ConvertAll(Values<double>("y"), Math.Abs), Array.ConvertAll(Values<double>("w"), Math.Abs), Values<double>("bias")[0]).Max();
    }

    private sealed class BackwardCase : OperationCase
    {
        public override Type Operation => typeof(HeadFilterBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) => device.Run(new HeadFilterBackward(
            tensor("dy"), tensor("dw"), tensor("dbias"), tensor("du"), tensor("u"), tensor("y"), tensor("w")));

        public override T[] Expect<T>(string output)
        {
            var (dy, dw, dbias) = RowReference.HeadFilterBackward(Values<T>("du"), Values<T>("u"), Values<T>("y"), Values<T>("w"));
            return output switch { "dy" => dy, "dw" => dw, _ => [dbias] };
        }

        public override double LargestIntermediate(string output)
        {
            var (_, dw, dbias) = RowReference.HeadFilterBackward(
                Array.ConvertAll(Values<double>("du"), Math.Abs), Values<double>("u"), Array.ConvertAll(Values<double>("y"), Math.Abs), Values<double>("w"));
            return output switch { "dy" => 0, "dw" => dw.Max(), _ => dbias };
        }
    }
}
