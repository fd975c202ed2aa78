using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class BinCountsCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            yield return Case("one count", [[3f]]);
            yield return Case("no cell", [], unused: 5);
            yield return Case("nothing expressed", [[], [], []]);
            yield return Case("whole counts", [.. new[] { 0, 1, 31, 255, 256, 257, 0, 1031 }.Select((n, cell) => Array.ConvertAll(Sample.Integers(60 + cell, n, 0, 40), v => (float)v))], unused: 300);
            yield return Case("rows of one cell more than the grid covers", [.. Enumerable.Range(0, 21).Select(cell => Array.ConvertAll(Sample.Integers(80 + cell, 1 + cell, 1, 9), v => (float)v))]);
            yield return Case("bin edges", [.. new[] { 1f, 0.5f, 3f, 7f, 1f / 1024, 1e6f }.Select(AtTheEdges)]);
            yield return Case("fractions", [.. Enumerable.Range(0, 5).Select(cell => Array.ConvertAll(Sample.Normal(50 + cell, 1031, 0, 4), v => MathF.Exp(v)))]);
            yield return Case("the order of the sum decides", [ManySmall(1), ManySmall(256)]);
            yield return Case("not counts", [[float.NaN, 1, 2], [float.PositiveInfinity, 1], [-1, 3, 0, float.Epsilon], [float.Epsilon], [float.MaxValue, float.MaxValue, 1]]);
        }
    }

    /// <summary>A cell whose total is exactly 10,000 times a factor, with counts on every edge of a bin and one unit in the last place to either side.</summary>
    internal static float[] AtTheEdges(float factor)
    {
        var counts = new List<float>();
        foreach (var edge in new[] { 1, 3, 7, 15, 31 })
        {
            var count = edge * factor;
            counts.AddRange([count, MathF.BitDecrement(count), MathF.BitIncrement(count)]);
        }
        var rest = (10_000.0 * factor) - counts.Sum(c => (double)c);
        var most = MathF.BitDecrement((float)rest);
        return [.. counts, most, (float)(rest - most)];
    }

    /// <summary>10,000 and counts so small that each is lost beside a large one: they count where partial sums keep them apart. The last count is 1.</summary>
    internal static float[] ManySmall(int stride)
    {
        var counts = new float[(100 * stride) + 2];
        for (var i = 1; i <= 100; i++) counts[i * stride] = MathF.ScaleB(1, -41);
        (counts[0], counts[^1]) = (9999, 1);
        return counts;
    }

    private static BinCase Case(string name, float[][] cells, int unused = 0)
    {
        var offsets = new int[cells.Length + 1];
        for (var cell = 0; cell < cells.Length; cell++) offsets[cell + 1] = offsets[cell] + cells[cell].Length;
        var counts = cells.SelectMany(c => c).Concat(Enumerable.Repeat(5f, unused)).ToArray();
        return new BinCase
        {
            Name = $"bin_counts {name}",
            Arguments =
            [
                Argument.WriteByte("bins", new Shape(counts.Length)), Argument.Read("counts", new Shape(counts.Length), counts),
                Argument.Read("offsets", new Shape(offsets.Length), offsets),
            ],
        };
    }

    private sealed class BinCase : OperationCase
    {
        public override Type Operation => typeof(BinCounts);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new BinCounts(tensor("bins"), tensor("counts"), tensor("offsets")));

        // The rule is one of float64 arithmetic; the sum's order by its recursive definition.
        public override T[] Expect<T>(string output)
        {
            var (counts, offsets) = (Values<double>("counts"), Integers("offsets"));
            var bins = new T[counts.Length];
            for (var cell = 0; cell + 1 < offsets.Length; cell++)
            {
                var own = counts[offsets[cell]..offsets[cell + 1]];
                var total = Enumerable.Range(0, 8).Aggregate(0.0, (sum, warp) => sum + Tree(own, 32 * warp, 1));
                for (var i = 0; i < own.Length; i++)
                {
                    var bin = Enumerable.Range(1, 5).Count(b => own[i] > 0 && own[i] * 10_000 >= ((1 << b) - 1) * total);
                    bins[offsets[cell] + i] = T.CreateChecked(bin);
                }
            }
            return bins;
        }

        private static double Tree(double[] counts, int lane, int distance)
        {
            if (distance < 32) return Tree(counts, lane, 2 * distance) + Tree(counts, lane + distance, 2 * distance);
            var sum = 0.0;
            for (var i = lane; i < counts.Length; i += 256) sum += counts[i];
            return sum;
        }
    }
}
