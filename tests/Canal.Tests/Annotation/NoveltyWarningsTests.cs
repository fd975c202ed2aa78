using Canal.Annotation;

namespace Canal.Tests.Annotation;

public sealed class NoveltyWarningsTests
{
    [Theory]
    [InlineData(40, 21, true)]
    [InlineData(40, 20, false)]
    [InlineData(19, 19, false)]
    [InlineData(0, 0, false)]
    public void AFileWhoseCellsMostlyLookNovel_IsWarnedOf(int cells, int novel, bool warned)
    {
        var lines = NoveltyWarnings.Of(Result(cells, novel), null, chosen: false).ToList();
        Assert.Equal(warned, lines.Count == 1);
        Assert.All(lines, line => Assert.Contains("look novel", line, StringComparison.Ordinal));
    }

    [Fact]
    public void AnOlderModel_IsNamed_UnlessTheUserChoseTheRule()
    {
        var outputs = new CellOutputs(2, [1, 0, 0, 1], 1, [0, 1]);
        var calibration = NoveltyCalibration.Fit(new NoveltySettings(), outputs, [0, 1], outputs);
        Assert.Contains("earlier version", Assert.Single(NoveltyWarnings.Of(Result(30, 1), calibration, chosen: false)), StringComparison.Ordinal);
        Assert.Empty(NoveltyWarnings.Of(Result(30, 1), calibration, chosen: true));
    }

    private static AnnotationResult Result(int cells, int novel) => new()
    {
        Types = ["a"],
        Rows = [.. Enumerable.Range(0, cells)],
        CellIds = [.. Enumerable.Range(0, cells).Select(cell => $"{cell}")],
        Best = new int[3 * cells],
        Probabilities = new float[3 * cells],
        Energy = new float[cells],
        Novelty = [.. Enumerable.Range(0, cells).Select(cell => cell < novel ? 0.51 : 0.5)],
        LowQuality = new bool[cells],
        Representations = new float[cells],
        Width = 1,
        Rule = NoveltyRule.Genes,
    };
}
