using Canal.Engine.Operations;
using Canal.Engine.Tests.Conformance.Cases;

namespace Canal.Engine.Tests.Conformance;

public sealed class BinRuleTests
{
    [Theory]
    [InlineData(1f)]
    [InlineData(0.5f)]
    [InlineData(3f)]
    [InlineData(7f)]
    [InlineData(1f / 1024)]
    [InlineData(1e6f)]
    public void A_count_on_an_edge_belongs_above_it_and_the_next_smaller_float_below(float factor)
    {
        var counts = BinCountsCases.AtTheEdges(factor);
        var total = BinRule.Total<float>(counts);
        Assert.Equal(10_000.0 * factor, total);
        for (var bin = 1; bin <= 5; bin++)
        {
            var at = 3 * (bin - 1);
            Assert.Equal((bin, bin - 1, bin), (BinRule.Bin(counts[at], total), BinRule.Bin(counts[at + 1], total), BinRule.Bin(counts[at + 2], total)));
        }
    }

    // So that devices which agree on these cells add in the same order.
    [Fact]
    public void The_order_of_a_sum_can_decide_a_bin()
    {
        var (apart, together) = (BinCountsCases.ManySmall(1), BinCountsCases.ManySmall(256));
        Assert.Equal((0, 1), (BinRule.Bin(1, BinRule.Total<float>(apart)), BinRule.Bin(1, apart.Sum(c => (double)c))));
        Assert.Equal((1, 0), (BinRule.Bin(1, BinRule.Total<float>(together)), BinRule.Bin(1, together.Reverse().Sum(c => (double)c))));
    }

    [Fact]
    public void Float32_and_float64_counts_have_one_total()
    {
        float[] counts = [.. Enumerable.Range(0, 1031).Select(i => MathF.Exp((i * 37 % 101 * 0.2f) - 10))];
        Assert.Equal(BinRule.Total<float>(counts), BinRule.Total<double>(Array.ConvertAll(counts, c => (double)c)));
        Assert.Equal(counts.Sum(c => (double)c), BinRule.Total<float>(counts), 1e-12 * counts.Sum());
        Assert.Equal(0, BinRule.Total<double>([]));
    }
}
