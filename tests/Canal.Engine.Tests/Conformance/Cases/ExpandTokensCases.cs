using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class ExpandTokensCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            // Cell b expresses every (b + 2)nd gene; the last position is the trailing token.
            foreach (var (cells, length) in new[] { (1, 1), (2, 31), (5, 67), (3, 1001), (1, 300), (14, 1001) })
            {
                yield return Case($"[{cells}, {length}]", length, [.. Enumerable.Range(0, cells).Select(b => Every(b, b + 2, length))]);
            }
            yield return Case("all genes and chunks", 16907, [Every(0, 1, 16907)]);
            yield return Case("chunk edges", 8193, [[0, 4095, 4096, 8191], [4096], [4095, 1, 8190]]);
            yield return Case("nothing expressed", 67, [[], [], []]);
            yield return Case("empty cells between", 67, [[], [65, 0], [], [], [7], []]);
            yield return Case("more cells than the grid covers", 5, [.. Enumerable.Range(0, 41).Select(b => new[] { b % 4 })]);
            yield return Case("genes outside the panel, room for more entries", 31, [[ExpandTokens.Nowhere, 3, ExpandTokens.Nowhere], [29, ExpandTokens.Nowhere]], unused: 9);
        }
    }

    private static int[] Every(int first, int step, int length) => [.. Enumerable.Range(0, length).Where(t => t >= first && (t - first) % step == 0 && t < length - 1)];

    private static ExpandCase Case(string name, int length, int[][] cells, int unused = 0)
    {
        var offsets = new int[cells.Length + 1];
        for (var cell = 0; cell < cells.Length; cell++) offsets[cell + 1] = offsets[cell] + cells[cell].Length;
        ushort[] positions = [.. cells.SelectMany(c => c).Select(t => (ushort)t), .. Enumerable.Repeat((ushort)1, unused)];
        return new ExpandCase
        {
            Name = $"expand_tokens {name}",
            Arguments =
            [
                Argument.WriteByte("tokens", new Shape(cells.Length, length)),
                Argument.Read("offsets", new Shape(offsets.Length), offsets),
                Argument.Read("positions", new Shape(positions.Length), positions),
                Argument.Read("bins", new Shape(positions.Length), Array.ConvertAll(Sample.Integers(15, positions.Length, 1, 6), v => (byte)v)),
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
            var (tokens, length) = (new T[Arguments[0].Shape.Count], Arguments[0].Shape[1]);
            for (var e = 0; e < offsets[^1]; e++)
            {
                if (positions[e] == ExpandTokens.Nowhere) continue;
                var cell = offsets.Count(o => o <= e) - 1;
                tokens[(cell * length) + positions[e]] = T.CreateChecked(bins[e]);
            }
            return tokens;
        }
    }
}
