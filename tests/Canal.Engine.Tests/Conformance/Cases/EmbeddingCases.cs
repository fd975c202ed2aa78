using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class EmbeddingCases
{
    private const int Kinds = 7;

    // Edges of chunks, a batch, a whole transcriptome in few columns; tables of one token, of more than a block's groups hold, of all bytes.
    private static readonly (int Cells, int Length, int Columns, int Kinds)[] Sizes =
    [
        (1, 1, 1, Kinds), (2, 31, 33, Kinds), (5, 67, 16, Kinds), (3, 1001, 20, Kinds), (1, 300, 200, Kinds),
        (14, 1001, 4, Kinds), (1, 16907, 3, Kinds), (1, 256, 8, 1), (2, 300, 12, 40), (1, 1031, 33, 256),
    ];

    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (cells, length, columns, kinds) in Sizes)
            {
                var (tokens, x) = (Argument.Read("tokens", new Shape(cells, length), Sample.Bytes(11, cells * length, kinds)), new Shape(cells * length, columns));
                var name = $"[{cells}, {length}, {columns}]{(kinds == Kinds ? "" : $" of {kinds}")}";
                yield return new ForwardCase
                {
                    Name = $"embedding_forward {name}",
                    Arguments =
                    [
                        Argument.Write("x", x), tokens,
                        Argument.Read("bins", new Shape(kinds, columns), Sample.Normal(12, kinds * columns)),
                        Argument.Read("genes", new Shape(length, columns), Sample.Normal(13, length * columns, 100)),
                    ],
                };
                foreach (var which in new[] { "both", "bins", "genes" })
                {
                    Argument[] outputs = [Argument.Accumulate("dbins", new Shape(kinds, columns)), Argument.Accumulate("dgenes", new Shape(length, columns))];
                    yield return new BackwardCase
                    {
                        Kinds = kinds,
                        Name = $"embedding_backward {name} {which}",
                        Arguments = [.. outputs.Where(o => which == "both" || o.Name == "d" + which), Argument.Read("dx", x, Sample.Normal(14, x.Count, 1)), tokens],
                    };
                }
            }
        }
    }

    private sealed class ForwardCase : OperationCase
    {
        public override Type Operation => typeof(EmbeddingForward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new EmbeddingForward(tensor("x"), tensor("tokens"), tensor("bins"), tensor("genes")));

        public override T[] Expect<T>(string output) =>
            RowReference.Embedding(Integers("tokens"), Values<T>("bins"), Values<T>("genes"), Arguments[0].Shape[1]);
    }

    private sealed class BackwardCase : OperationCase
    {
        public required int Kinds { get; init; }

        public override Type Operation => typeof(EmbeddingBackward);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new EmbeddingBackward(tensor("dbins"), tensor("dgenes"), tensor("dx"), tensor("tokens")));

        public override T[] Expect<T>(string output) => Gradient(Values<T>("dx"), output);

        public override double LargestIntermediate(string output) => Gradient(Array.ConvertAll(Values<double>("dx"), Math.Abs), output).Max();

        private T[] Gradient<T>(T[] dx, string output) where T : System.Numerics.IFloatingPointIeee754<T>
        {
            var tokens = Arguments.First(a => a.Name == "tokens").Shape;
            var (dbins, dgenes) = RowReference.EmbeddingBackward(dx, Integers("tokens"), Kinds, tokens[1], Arguments[0].Shape[1]);
            return output == "dbins" ? dbins : dgenes;
        }
    }
}
