using Canal.Benchmarks;
using Canal.Engine.Devices.Cuda;

namespace Canal.Tests.Benchmarks;

public sealed class LabelAgreementTests
{
    // Without another label in closed form, 1 - 0.05^(1/n); the others from tables of the exact one-sided bound.
    [Theory]
    [InlineData(300, 0, 0.0099361)]
    [InlineData(10, 0, 0.2588656)]
    [InlineData(10, 1, 0.3941633)]
    [InlineData(10, 9, 0.9948838)]
    [InlineData(10, 10, 1)]
    [InlineData(1, 0, 0.95)]
    public void TheBoundIsClopperAndPearsons(int cells, int others, double expected) => Assert.Equal(expected, new LabelAgreement(0.999, cells, others).MostOthers, 1e-6);

    // Where the terms are far below the smallest double: 8,000 of 20,000, by the normal approximation.
    [Fact]
    public void TheBoundHoldsForManyCells() => Assert.Equal(0.4 + (1.645 * Math.Sqrt(0.4 * 0.6 / 20_000)), new LabelAgreement(0.995, 20_000, 8_000).MostOthers, 1e-4);

    [Theory]
    [InlineData(0.995, 300, 0, LabelVerdict.NotShown)]
    [InlineData(0.995, 300, 1, LabelVerdict.NotShown)]
    [InlineData(0.995, 300, 2, LabelVerdict.Missed)]
    [InlineData(0.995, 597, 0, LabelVerdict.NotShown)]
    [InlineData(0.995, 598, 0, LabelVerdict.Reached)]
    [InlineData(0.999, 2_638, 0, LabelVerdict.NotShown)]
    [InlineData(0.999, 2_995, 0, LabelVerdict.Reached)]
    [InlineData(0.999, 300, 1, LabelVerdict.Missed)]
    [InlineData(0.999, 100_000, 80, LabelVerdict.Reached)]
    public void FewCellsShowNothing(double needed, int cells, int others, LabelVerdict expected) => Assert.Equal(expected, new LabelAgreement(needed, cells, others).Verdict);

    [Fact]
    public void AsManyCellsAsItTakesAreEnoughAndOneLessIsNot()
    {
        foreach (var needed in new[] { 0.995, 0.999 })
        {
            var cells = new LabelAgreement(needed, 1, 0).CellsToShow;
            Assert.Equal((LabelVerdict.Reached, LabelVerdict.NotShown), (new LabelAgreement(needed, cells, 0).Verdict, new LabelAgreement(needed, cells - 1, 0).Verdict));
        }
    }

    [Fact]
    public void TheLineSaysWhatIsAllowedAndWhatIsShown()
    {
        Assert.Equal("0 of 300 cells with another label than in fp32: at most 0.994 % of such cells (95 % confidence), 0.5 % may: not shown, which takes 598 cells without another label",
            new LabelAgreement(0.995, 300, 0).ToString());
        Assert.EndsWith(": reached", new LabelAgreement(0.995, 600, 0).ToString(), StringComparison.Ordinal);
        Assert.EndsWith(": missed", new LabelAgreement(0.999, 300, 1).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void HalfPrecisionMayChangeMoreLabelsThanTf32_AndFloat32IsWhatTheyAreHeldTo() =>
        Assert.Equal([null, 0.999, 0.995, 0.995], CudaPrecision.All.Select(LabelAgreement.NeededFor));
}
