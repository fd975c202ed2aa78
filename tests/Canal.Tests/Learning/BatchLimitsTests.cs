using Canal.Engine.Layers;
using Canal.Learning;

namespace Canal.Tests.Learning;

public sealed class BatchLimitsTests
{
    private static readonly EncoderGeometry geometry = new() { Positions = 60_001, Width = 8, Blocks = 1, Heads = 1, HeadWidth = 4, Features = 4 };

    [Theory, InlineData(1, 35_790), InlineData(7, 5_112)]
    public void TheLargestBatchIsTheLastThatFits(int values, int most)
    {
        Assert.Equal(Array.MaxLength / (60_001L * values), most);
        BatchLimits.Check(most, geometry, values);
        var error = Assert.Throws<UserException>(() => BatchLimits.Check(most + 1, geometry, values));
        Assert.Contains($"it can be {most} at most", error.Message, StringComparison.Ordinal);
        Assert.Contains("--batch", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CellsAnUpdateAreCounted()
    {
        Assert.Equal(65_536 * 32_767, BatchLimits.CellsPerUpdate(65_536, 32_767));
        var error = Assert.Throws<UserException>(() => BatchLimits.CellsPerUpdate(65_536, 65_536));
        Assert.Contains("--accumulation", error.Message, StringComparison.Ordinal);
    }
}
