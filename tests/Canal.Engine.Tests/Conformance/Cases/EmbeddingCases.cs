using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class EmbeddingCases
{
    private const int Kinds = 7;

    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (cells, length, columns) in new[] { (1, 1, 1), (2, 31, 33), (5, 67, 16), (3, 1001, 20), (1, 300, 200) })
            {
                var (tokens, x) = (Argument.Read("tokens", new Shape(cells, length), Sample.Bytes(11, cells * length, Kinds)), new Shape(cells * length, columns));
                var name = $"[{cells}, {length}, {columns}]";
                yield return Expand(cells, length, name);
                yield return new ForwardCase
                {
                    Name = $"embedding_forward {name}",
                    Arguments =
                    [
                        Argument.Write("x", x), tokens,
                        Argument.Read("bins", new Shape(Kinds, columns), Sample.Normal(12, Kinds * columns)),
                        Argument.Read("genes", new Shape(length, columns), Sample.Normal(13, length * columns, 100)),
                    ],
                };
                foreach (var which in new[] { "both", "bins", "genes" })
                {
                    Argument[] outputs = [Argument.Accumulate("dbins", new Shape(Kinds, columns)), Argument.Accumulate("dgenes", new Shape(length, columns))];
                    yield return new BackwardCase
                    {
                        Name = $"embedding_backward {name} {which}",
                        Arguments = [.. outputs.Where(o => which == "both" || o.Name == "d" + which), Argument.Read("dx", x, Sample.Normal(14, x.Count, 1)), tokens],
                    };
                }
            }
        }
    }

    private static ExpandCase Expand(int cells, int length, string name)
    {
        // Cell b expresses every (b + 2)nd gene; the last position is the trailing token.
        var (offsets, positions) = (new List<int> { 0 }, new List<ushort>());
        for (var b = 0; b < cells; b++)
        {
            for (var t = b; t < length - 1; t += b + 2) positions.Add((ushort)t);
            offsets.Add(positions.Count);
        }
        return new ExpandCase
        {
            Name = $"expand_tokens {name}",
            Arguments =
            [
                Argument.WriteByte("tokens", new Shape(cells, length)),
                Argument.Read("offsets", new Shape(cells + 1), offsets.ToArray()),
                Argument.Read("positions", new Shape(positions.Count), positions.ToArray()),
                Argument.Read("bins", new Shape(positions.Count), Array.ConvertAll(Sample.Integers(15, positions.Count, 1, 6), v => (byte)v)),
            ],
        };
    }

    private sealed class ExpandCase : OperationCase
    {
        public override Type Operation => typeof(ExpandTokens);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new ExpandTokens(tensor("tokens"), tensor("offsets"), tensor("positions"), tensor("bins")));

        public override T[] Expect<T>(string output)
        {
            var (offsets, positions, bins) = (Integers("offsets"), Integers("positions"), Integers("bins"));
            var tokens = new T[Arguments[0].Shape.Count];
            Array.Fill(tokens, T.Zero);
            for (var e = 0; e < positions.Length; e++)
            {
                var cell = offsets.Count(o => o <= e) - 1;
                tokens[(cell * Arguments[0].Shape[1]) + positions[e]] = T.CreateChecked(bins[e]);
            }
            return tokens;
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
