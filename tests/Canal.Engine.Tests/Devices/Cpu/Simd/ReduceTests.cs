using Canal.Engine.Devices.Cpu.Simd;

namespace Canal.Engine.Tests.Devices.Cpu.Simd;

/// <summary>Reductions through sixteen lanes, and partial loads and stores.</summary>
public sealed unsafe class ReduceTests
{
    private static readonly int[] Lengths = [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 200, 1001];

    [Fact]
    public void Reductions_AgreeWithFloat64AndBetweenWidths()
    {
        foreach (var count in Lengths)
        {
            var random = new System.Random(count);
            var x = Enumerable.Range(0, count + 1).Select(_ => (float)((random.NextDouble() * 2) - 1 + 100)).ToArray();
            var y = Enumerable.Range(0, count + 1).Select(_ => (float)((random.NextDouble() * 2) - 1)).ToArray();
            x[count] = y[count] = float.NaN;                                     // past the end: must not be read into the result
            fixed (float* px = x, py = y)
            {
                var terms = (count / 16) + 5;                                     // additions any one value goes through
                Check(Reduce.Sum<V512>(px, count), Reduce.Sum<V256>(px, count), Reduce.Sum<V128>(px, count), x.Take(count).Sum(v => (double)v), terms * 101.0 * count);
                Check(Reduce.Dot<V512>(px, py, count), Reduce.Dot<V256>(px, py, count), Reduce.Dot<V128>(px, py, count), Enumerable.Range(0, count).Sum(i => (double)x[i] * y[i]), terms * 101.0 * count);
                Check(Reduce.SquaredDeviations<V512>(px, 100, count), Reduce.SquaredDeviations<V256>(px, 100, count), Reduce.SquaredDeviations<V128>(px, 100, count), x.Take(count).Sum(v => ((double)v - 100) * ((double)v - 100)), terms * 1.0 * count);
                var largest = count == 0 ? float.NegativeInfinity : x.Take(count).Max();
                Assert.Equal([largest, largest, largest], [Reduce.Max<V512>(px, count), Reduce.Max<V256>(px, count), Reduce.Max<V128>(px, count)]);
            }
        }
    }

    [Fact]
    public void PartialLoadsAndStores_TouchNothingElse()
    {
        Partial<V512>();
        Partial<V256>();
        Partial<V128>();
    }

    [Fact]
    public void FusedMultiplyAdd_RoundsOnce()
    {
        var a = 1 + MathF.Pow(2, -12);
        var expected = MathF.FusedMultiplyAdd(a, a, -1 - MathF.Pow(2, -11));      // 2^-24, lost when the product is rounded first
        Assert.Equal(MathF.Pow(2, -24), expected);
        Fused<V512>(a, expected);
        Fused<V256>(a, expected);
        Fused<V128>(a, expected);
    }

    private static void Check(float width512, float width256, float width128, double exact, double magnitude)
    {
        Assert.Equal(width512, width256);
        Assert.Equal(width512, width128);
        Assert.True(Math.Abs(width512 - exact) <= magnitude * Math.Pow(2, -24), $"{width512:r} is not {exact:r}");
    }

    private static void Partial<TV>() where TV : struct, IVector<TV>
    {
        var source = Enumerable.Range(1, 16).Select(i => (float)i).ToArray();
        for (var count = -1; count <= TV.Count + 1; count++)
        {
            var target = new float[18];
            target.AsSpan().Fill(-1);
            var whole = new float[16];
            var kept = Math.Clamp(count, 0, TV.Count);
            fixed (float* s = source, t = target, w = whole)
            {
                TV.Store(TV.Load(s), t + 1, count);
                TV.Store(TV.Load(s, count), w);
            }
            for (var i = 0; i < 17; i++) Assert.Equal(i < kept ? i + 1 : -1, target[i + 1]);
            for (var i = 0; i < TV.Count; i++) Assert.Equal(i < kept ? i + 1 : 0, whole[i]);
        }
    }

    private static void Fused<TV>(float a, float expected) where TV : struct, IVector<TV>
    {
        var lanes = stackalloc float[16];
        TV.Store(TV.FusedMultiplyAdd(TV.Create(a), TV.Create(a), TV.Create(-1 - MathF.Pow(2, -11))), lanes);
        for (var i = 0; i < TV.Count; i++) Assert.Equal(expected, lanes[i]);
    }
}
