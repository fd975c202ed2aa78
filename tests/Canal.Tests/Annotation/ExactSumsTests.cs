using Canal.Annotation;

namespace Canal.Tests.Annotation;

public sealed class ExactSumsTests
{
    [Fact]
    public void TheOrderChangesNoBit_WhereItDoesInFloat64()
    {
        var random = new Random(1);
        // As gene attention: most of a column's scores are close to eps over the number of tokens, some close to 1.
        float[] scores = [.. Enumerable.Range(0, 2000).Select(_ => (float)(random.NextDouble() * Math.Pow(2, -random.Next(30))))];
        var (exact, plain) = (new HashSet<double>(), new HashSet<double>());
        for (var order = 0; order < 10; order++)
        {
            random.Shuffle(scores);
            var sums = new ExactSums(1, 2);
            foreach (var score in scores) sums.Add(0, 1, score);
            exact.Add(sums[0, 1]);
            plain.Add(scores.Aggregate(0.0, (sum, score) => sum + score));
            Assert.Equal(0, sums[0, 0]);
        }
        Assert.True(plain.Count > 1);
        Assert.Single(exact);
        // The exact sum lies within the rounding errors of the others.
        Assert.InRange(Math.Abs(exact.Single() - plain.First()), 0, 1e-9);
    }

    [Fact]
    public void SumsOfFewBitsAreExact()
    {
        var sums = new ExactSums(2, 1);
        foreach (var score in new[] { 0.5f, MathF.ScaleB(1, -50), 1f, 0f }) sums.Add(1, 0, score);
        Assert.Equal(1.5 + Math.ScaleB(1, -50), sums[1, 0]);
    }
}
