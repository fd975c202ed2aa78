using Canal.Engine.Random;

namespace Canal.Engine.Tests.Random;

public sealed class RandomSequenceTests
{
    [Fact]
    public void Words_are_the_blocks_of_the_documented_counter()
    {
        var stream = new RandomSequence(0x1122334455667788, RandomPurpose.Masking, stage: 3, epoch: 5, index: 7);
        for (var block = 0u; block < 3; block++)
        {
            var expected = Philox.Block(new PhiloxBlock(block, 7, 5, (4u << 24) | 3), 0x1122334455667788);
            Assert.Equal(expected, new PhiloxBlock(stream.NextWord(), stream.NextWord(), stream.NextWord(), stream.NextWord()));
        }
    }

    [Fact]
    public void Every_coordinate_changes_the_stream()
    {
        RandomSequence[] streams =
        [
            new(1, RandomPurpose.Testing), new(2, RandomPurpose.Testing), new(1UL << 40, RandomPurpose.Testing), new(1, RandomPurpose.CellOrder),
            new(1, RandomPurpose.Testing, stage: 1), new(1, RandomPurpose.Testing, epoch: 1), new(1, RandomPurpose.Testing, index: 1),
        ];
        Assert.Equal(streams.Length, streams.Select(stream => stream.NextLong()).Distinct().Count());
    }

    [Theory]
    [InlineData(-1, 0, 0)]
    [InlineData(1 << 24, 0, 0)]
    [InlineData(0, -1, 0)]
    [InlineData(0, 0, -1)]
    [InlineData(0, 0, 1L << 32)]
    public void Coordinates_that_would_overlap_another_stream_are_refused(int stage, int epoch, long index) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RandomSequence(1, RandomPurpose.Testing, stage, epoch, index));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(1000)]
    public void Bounded_integers_are_uniform(int bound)
    {
        const int Draws = 200_000;
        var stream = new RandomSequence(11, RandomPurpose.Testing, index: bound);
        var counts = new int[bound];
        for (var i = 0; i < Draws; i++) counts[stream.NextInt(bound)]++;
        var expected = (double)Draws / bound;
        var chiSquare = counts.Sum(count => (count - expected) * (count - expected) / expected);
        // Mean bound - 1, variance 2 (bound - 1): five standard deviations.
        Assert.True(chiSquare <= bound - 1 + (5 * Math.Sqrt(2.0 * (bound - 1))), $"chi-square {chiSquare}");
    }

    [Fact]
    public void A_bound_of_three_quarters_of_the_range_shows_no_modulo_bias()
    {
        // Reducing 32 bits modulo 3·2^29 would draw the lowest of these thirds twice as often as the others.
        const int Bound = 3 << 29, Draws = 30_000;
        var stream = new RandomSequence(12, RandomPurpose.Testing);
        var thirds = new int[3];
        for (var i = 0; i < Draws; i++) thirds[stream.NextInt(Bound) >> 29]++;
        Assert.All(thirds, count => Assert.InRange(count, (Draws / 3) - 400, (Draws / 3) + 400));
    }

    [Fact]
    public void Doubles_and_normals_have_the_right_moments()
    {
        const int Draws = 200_000;
        var stream = new RandomSequence(13, RandomPurpose.Testing);
        double sum = 0, normalSum = 0, normalSquares = 0, normalFourth = 0;
        for (var i = 0; i < Draws; i++)
        {
            var uniform = stream.NextDouble();
            Assert.InRange(uniform, 0.0, Math.BitDecrement(1.0));
            sum += uniform;
            var normal = stream.NextNormal();
            normalSum += normal;
            normalSquares += normal * normal;
            normalFourth += normal * normal * normal * normal;
        }
        // Five standard errors: 1/sqrt(12), 1, sqrt(2) and sqrt(96) over sqrt(draws).
        var error = 5 / Math.Sqrt(Draws);
        Assert.InRange(sum / Draws, 0.5 - (error * 0.289), 0.5 + (error * 0.289));
        Assert.InRange(normalSum / Draws, -error, error);
        Assert.InRange(normalSquares / Draws, 1 - (error * 1.415), 1 + (error * 1.415));
        Assert.InRange(normalFourth / Draws, 3 - (error * 9.8), 3 + (error * 9.8));
    }

    [Fact]
    public void Permutations_are_permutations_repeat_and_favour_none()
    {
        var counts = new Dictionary<(int, int, int), int>();
        Span<int> order = stackalloc int[3];
        for (var i = 0; i < 12_000; i++)
        {
            new RandomSequence(14, RandomPurpose.CellOrder, index: i).Permutation(order);
            var key = (order[0], order[1], order[2]);
            counts[key] = counts.GetValueOrDefault(key) + 1;
        }
        Assert.Equal(6, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, 1_800, 2_200));

        var (first, second) = (new int[500], new int[500]);
        new RandomSequence(15, RandomPurpose.CellOrder, epoch: 2).Permutation(first);
        new RandomSequence(15, RandomPurpose.CellOrder, epoch: 2).Permutation(second);
        Assert.Equal(first, second);
        Assert.Equal(Enumerable.Range(0, 500), first.Order());
    }
}
