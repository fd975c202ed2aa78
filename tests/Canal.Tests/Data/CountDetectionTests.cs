using Canal.Data;

namespace Canal.Tests.Data;

public sealed class CountDetectionTests
{
    private const int Genes = 150;
    private static readonly double[,] counts = ExpressionSamples.Counts(300, Genes);
    private static readonly string[] symbols = ExpressionSamples.Symbols(Genes);

    [Fact]
    public void WholeNumbersAreCounts()
    {
        var found = CountDetection.Detect(ExpressionSamples.File(counts, symbols));
        Assert.Equal(("X", ExpressionState.Counts), (found.Location, found.State));
        Assert.Empty(found.Warnings);
    }

    [Fact]
    public void ExpectedCountsOfRsemAreCounts()
    {
        var file = ExpressionSamples.File(ExpressionSamples.Map(counts, v => v < 3 ? v : v * 1.37), symbols);
        Assert.Equal(ExpressionState.Counts, CountDetection.Detect(file).State);
    }

    [Fact]
    public void CountsPerTenThousandAreRecognised()
    {
        var found = CountDetection.Detect(ExpressionSamples.File(ExpressionSamples.Normalise(counts, 1e4), symbols));
        Assert.Equal(ExpressionState.Normalised, found.State);
        Assert.Contains("10,000", found.Description, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Math.E, 1e4)]
    [InlineData(2, 1e4)]
    [InlineData(10, 1e6)]
    [InlineData(1.7, 1e4)]
    [InlineData(5, 1e4)]
    public void TheBaseOfALogarithmIsFoundFromTheTotals(double logBase, double target)
    {
        var normalised = ExpressionSamples.Normalise(counts, target);
        var file = ExpressionSamples.File(ExpressionSamples.Map(normalised, v => (float)Math.Log(1 + v, logBase)), symbols);
        var found = CountDetection.Detect(file);
        Assert.Equal(ExpressionState.Logarithm, found.State);
        // A searched base is known as well as the totals tell; float32 values leave it at a few parts in a thousand.
        Assert.InRange(found.LogBase / logBase, 0.999, 1.001);
        Assert.Empty(found.Warnings);
    }

    [Theory]
    [InlineData(Math.E)]
    [InlineData(2)]
    public void LogarithmsOfCountsAreRoundedBack(double logBase)
    {
        var file = ExpressionSamples.File(ExpressionSamples.Map(counts, v => (float)Math.Log(1 + v, logBase)), symbols);
        var found = CountDetection.Detect(file);
        Assert.Equal((ExpressionState.Logarithm, logBase), (found.State, found.LogBase));
        Assert.True(found.WholeBeforeLogarithm);
        var block = new SparseRows();
        new CountReader(file, found).ReadCells(0, 300, block);
        Assert.Equal(counts.Cast<double>(), ExpressionSamples.ToDense(block, Genes));
    }

    [Fact]
    public void TheDeclaredBaseIsUsedWhereGenesWereCut()
    {
        var cut = Cut(ExpressionSamples.Map(ExpressionSamples.Normalise(counts, 1e4), v => Math.Log2(1 + v)), 20);
        var declared = CountDetection.Detect(ExpressionSamples.File(cut, ExpressionSamples.Symbols(20)).WithLogBase(2));
        Assert.Equal((ExpressionState.Logarithm, 2.0), (declared.State, declared.LogBase));
        Assert.Empty(declared.Warnings);
    }

    [Fact]
    public void WhereGenesWereCutAndNothingIsDeclaredTheNaturalLogarithmIsAssumedWithAWarning()
    {
        var cut = Cut(ExpressionSamples.Map(ExpressionSamples.Normalise(counts, 1e4), v => Math.Log(1 + v)), 20);
        var found = CountDetection.Detect(ExpressionSamples.File(cut, ExpressionSamples.Symbols(20)));
        Assert.Equal((ExpressionState.Logarithm, Math.E), (found.State, found.LogBase));
        Assert.Contains("natural logarithm is assumed", Assert.Single(found.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void ADeclaredBaseThatTheValuesContradictIsOverruledWithAWarning()
    {
        var file = ExpressionSamples.File(ExpressionSamples.Map(ExpressionSamples.Normalise(counts, 1e4), v => Math.Log(1 + v)), symbols).WithLogBase(2);
        var found = CountDetection.Detect(file);
        Assert.Equal(Math.E, found.LogBase);
        Assert.Single(found.Warnings);
    }

    [Fact]
    public void ScaledValuesArePassedOverForRaw()
    {
        var logs = ExpressionSamples.Map(ExpressionSamples.Normalise(counts, 1e4), v => Math.Log(1 + v));
        var file = ExpressionSamples.Empty(300).WithMatrix("X", ExpressionSamples.Map(logs, v => v - 1), symbols).WithMatrix("raw/X", logs, symbols);
        Assert.Equal(("raw/X", ExpressionState.Logarithm), (CountDetection.Detect(file).Location, CountDetection.Detect(file).State));
        var refused = Assert.Throws<UserException>(() => CountDetection.Detect(file, ["X"]));
        Assert.Contains("scaled values", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LayersCountsComeFirstAndTheOrderCanBeSet()
    {
        var file = ExpressionSamples.Empty(300).WithMatrix("X", counts, symbols).WithMatrix("raw/X", counts, symbols).WithMatrix("layers/counts", counts, symbols);
        Assert.Equal("layers/counts", CountDetection.Detect(file).Location);
        Assert.Equal("X", CountDetection.Detect(file, ["X", "raw/X"]).Location);
        Assert.Throws<UserException>(() => CountDetection.Detect(file, ["layers/spliced"]));
    }

    [Theory]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "infinite")]
    [InlineData(-3.0, "-3")]
    public void ABadValueThatTheSampleMissesIsNamedWithCellAndGene(double bad, string named)
    {
        var spoilt = (double[,])counts.Clone();
        spoilt[12, 34] = bad;
        var file = ExpressionSamples.File(spoilt, symbols);
        var found = CountDetection.Detect(file);
        Assert.Equal(ExpressionState.Counts, found.State);
        var error = Assert.Throws<UserException>(() => new CountReader(file, found).ReadCells(0, 100, new SparseRows()));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("cell12", error.Message, StringComparison.Ordinal);
        Assert.Contains("GENE34", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneCellOneGeneAndNoValuesAtAllAreJudged()
    {
        Assert.Equal(ExpressionState.Counts, CountDetection.Detect(ExpressionSamples.File(new double[1, 1], ["A"])).State);
        Assert.Equal(ExpressionState.Counts, CountDetection.Detect(ExpressionSamples.File(new double[,] { { 7 } }, ["A"])).State);
        var one = CountDetection.Detect(ExpressionSamples.File(new[,] { { Math.Log(1 + 2500.5), Math.Log(1 + 7499.5) } }, ["A", "B"]));
        Assert.Equal((ExpressionState.Logarithm, Math.E), (one.State, one.LogBase));
        Assert.Throws<UserException>(() => CountDetection.Detect(ExpressionSamples.Empty(0)));
        Assert.Throws<UserException>(() => CountDetection.Detect(ExpressionSamples.Empty(3)));
    }

    private static double[,] Cut(double[,] values, int genes)
    {
        var cut = new double[values.GetLength(0), genes];
        for (var i = 0; i < values.GetLength(0); i++)
        {
            for (var j = 0; j < genes; j++) cut[i, j] = values[i, j];
        }
        return cut;
    }
}
