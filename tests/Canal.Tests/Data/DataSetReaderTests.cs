using Canal.Data;

namespace Canal.Tests.Data;

public sealed class DataSetReaderTests
{
    private const int Cells = 700, Genes = 80;
    private static readonly double[,] counts = ExpressionSamples.Counts(Cells, Genes);
    private static readonly string[] symbols = ExpressionSamples.Symbols(Genes);
    private static readonly GeneVocabulary vocabulary = new(symbols.Reverse());
    private static readonly GenePanel everyOther = new(vocabulary, [.. Enumerable.Range(0, Genes / 2).Select(i => 2 * i)]);

    [Fact]
    public void TokensAreThoseOfEachCellAloneWhateverTheSelection()
    {
        using var all = new DataSetReader(Labelled(), new DataSetSettings { FewestGenes = 0 }).Prepare(everyOther);
        using var some = new DataSetReader(Labelled(), new DataSetSettings { FewestGenes = 0, Where = "group in (a, c)" }).Prepare(everyOther);
        Assert.Equal(Cells, all.Count);
        Assert.Equal(Enumerable.Range(0, Cells).Where(c => c % 3 != 1), some.Rows);
        var (dense, expected) = (new byte[everyOther.Count + 1], new byte[everyOther.Count + 1]);
        for (var i = 0; i < some.Count; i++)
        {
            some.Tokens.Expand(i, dense);
            all.Tokens.Expand(some.Rows[i], expected);
            Assert.Equal(expected, dense);
            // By another route: the logarithm in double, away from bin edges by more than its rounding.
            var total = Enumerable.Range(0, Genes).Sum(g => counts[some.Rows[i], g]);
            for (var p = 0; p < everyOther.Count; p++)
            {
                var value = counts[some.Rows[i], Genes - 1 - everyOther.Genes[p]] * 1e4 / total;
                Assert.Equal(Math.Min(5, Math.Floor(Math.Log2(1 + value) + 1e-12)), dense[p]);
            }
            Assert.Equal(0, dense[^1]);
        }
    }

    [Fact]
    public void LabelsAreTrimmedTypesAreSortedAndFoldsFollow()
    {
        using var cells = new DataSetReader(Labelled(), new DataSetSettings { Label = "cell_type", Name = "stage", FewestGenes = 0 }).Prepare(everyOther);
        Assert.Equal(["alpha", "beta"], cells.Types);
        Assert.Equal(Enumerable.Range(0, Cells).Select(c => c % 2), cells.Labels);
        Assert.Equal(Folds.Validation("stage", cells.CellIds, cells.Labels), cells.Validation);
        Assert.Equal([new("alpha", 350), new("beta", 350)], cells.Report.Types);
    }

    [Fact]
    public void AMissingLabelColumnIsNamedWithThoseThereAre()
    {
        var error = Assert.Throws<UserException>(() => new DataSetReader(Labelled(), new DataSetSettings { Label = "celltype" }));
        Assert.Contains("cell_type, group, gaps", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CellsWithoutALabelAreAnErrorOrLeftOut()
    {
        var error = Assert.Throws<UserException>(() => new DataSetReader(Labelled(), new DataSetSettings { Label = "gaps" }));
        Assert.Contains("--skip-unlabelled", error.Message, StringComparison.Ordinal);
        Assert.Contains("cell0", error.Message, StringComparison.Ordinal);
        using var cells = new DataSetReader(Labelled(), new DataSetSettings { Label = "gaps", SkipUnlabelled = true, FewestGenes = 0 }).Prepare(everyOther);
        Assert.Equal((Cells - 70, 70), (cells.Count, cells.Report.Unlabelled));
        Assert.Contains("70 cells without a label left out", cells.Report.Lines());
    }

    [Fact]
    public void LowQualityIsLeftOutInTrainingAndFlaggedInAnnotation()
    {
        var spoilt = (double[,])counts.Clone();
        for (var gene = 0; gene < Genes; gene++)
        {
            if (gene != 3) spoilt[5, gene] = 0;
            spoilt[6, gene] = 0;
        }
        spoilt[5, 3] = 2;
        using var training = new DataSetReader(ExpressionSamples.File(spoilt, symbols), new DataSetSettings()).Prepare(GenePanel.All(vocabulary));
        Assert.Equal((Cells - 2, 2), (training.Count, training.Report.LowQuality));
        using var annotation = new DataSetReader(ExpressionSamples.File(spoilt, symbols), new DataSetSettings { KeepLowQuality = true }).Prepare(GenePanel.All(vocabulary));
        Assert.Equal(Cells, annotation.Count);
        Assert.Equal([5, 6], Enumerable.Range(0, Cells).Where(c => annotation.LowQuality[c]));
        Assert.Equal((1, 0), (annotation.Tokens.EntryCount(5), annotation.Tokens.EntryCount(6)));
        // With judging off only the cell of which nothing can be said is left out.
        using var off = new DataSetReader(ExpressionSamples.File(spoilt, symbols), new DataSetSettings { FewestGenes = 0 }).Prepare(GenePanel.All(vocabulary));
        Assert.Equal(Cells - 1, off.Count);
    }

    [Fact]
    public void DuplicateCellNamesAreRefusedUnlessAnotherColumnNamesTheCells()
    {
        var file = new MemoryExpressionFile("twice.h5ad", ["a", "b", "a"]).WithMatrix("X", new double[,] { { 1 }, { 2 }, { 3 } }, ["GENE1"]).WithObs("id", ["x", "y", "z"]);
        var error = Assert.Throws<UserException>(() => new DataSetReader(file, new DataSetSettings()));
        Assert.Contains("'a'", error.Message, StringComparison.Ordinal);
        using var reader = new DataSetReader(file, new DataSetSettings { CellIdColumn = "id" });
        Assert.Equal(["x", "y", "z"], reader.CellIds);
    }

    [Fact]
    public void ASelectionOfNothingSaysWhatThereIs()
    {
        var error = Assert.Throws<UserException>(() => new DataSetReader(Labelled(), new DataSetSettings { Where = "group == d" }));
        Assert.Contains("group holds a, b, c", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneCellAndOneGeneGoThrough()
    {
        var file = ExpressionSamples.File(new double[,] { { 4 } }, ["GENE1"]);
        using var cells = new DataSetReader(file, new DataSetSettings { KeepLowQuality = true }).Prepare(GenePanel.All(new GeneVocabulary(["GENE1"])));
        var tokens = new byte[2];
        cells.Tokens.Expand(0, tokens);
        Assert.Equal([5, 0], tokens.Select(t => (int)t));
        var error = Assert.Throws<UserException>(() => new DataSetReader(file, new DataSetSettings()).ChoosePanel(new GeneVocabulary(["GENE1"]), 10));
        Assert.Contains("no gene varies", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ThePanelIsTheSameForCountsAndForTheirLogarithms()
    {
        var logs = ExpressionSamples.Map(ExpressionSamples.Normalise(counts, 1e4), v => Math.Log(1 + v));
        var fromCounts = new DataSetReader(ExpressionSamples.File(counts, symbols), new DataSetSettings()).ChoosePanel(vocabulary, 20);
        var fromLogs = new DataSetReader(ExpressionSamples.File(logs, symbols), new DataSetSettings()).ChoosePanel(vocabulary, 20);
        Assert.Equal(20, fromCounts.Count);
        Assert.Equal(fromCounts.Genes, fromLogs.Genes);
    }

    [Fact]
    public void APanelThatIsTooSmallIsSaidToBe()
    {
        using var reader = new DataSetReader(Labelled(), new DataSetSettings());
        var panel = reader.ChoosePanel(vocabulary, 5000);
        using var cells = reader.Prepare(panel);
        Assert.InRange(panel.Count, 1, Genes);
        Assert.Contains(cells.Report.Warnings, w => w.Contains($"the panel has {panel.Count} genes, not 5,000", StringComparison.Ordinal));
    }

    [Fact]
    public void APanelThatTheFileHardlyCoversIsWarnedOf()
    {
        var wide = new GeneVocabulary([.. symbols, .. Enumerable.Range(0, 100).Select(i => $"OTHER{i}")]);
        using var cells = new DataSetReader(Labelled(), new DataSetSettings()).Prepare(GenePanel.All(wide));
        Assert.Equal((Genes, 180), (cells.Report.PanelCovered, cells.Report.PanelGenes));
        Assert.Single(cells.Report.Warnings);
    }

    [Fact]
    public void LogFeaturesAreThoseOfTheValues()
    {
        using var reader = new DataSetReader(Labelled(), new DataSetSettings { Where = "group != b", FewestGenes = 0 });
        using var cells = reader.Prepare(everyOther);
        var features = reader.ReadLogFeatures(cells);
        Assert.Equal(cells.Count, features.Cells);
        for (var i = 0; i < cells.Count; i++)
        {
            var total = Enumerable.Range(0, Genes).Sum(g => counts[cells.Rows[i], g]);
            var dense = new double[everyOther.Count];
            for (var e = 0; e < features.Positions(i).Length; e++) dense[features.Positions(i)[e]] = features.Values(i)[e];
            for (var p = 0; p < everyOther.Count; p++)
            {
                var expected = Math.Log(1 + counts[cells.Rows[i], Genes - 1 - everyOther.Genes[p]] * 1e4 / total) / Math.Log(2);
                Assert.True(Math.Abs(expected - dense[p]) <= 1e-6, $"cell {i}, gene {p}: {dense[p]} is not {expected}");
            }
        }
    }

    [Fact]
    public void AStopEndsAPassAtTheNextBlock()
    {
        var many = ExpressionSamples.Counts(3 * 256, 20);
        var genes = ExpressionSamples.Symbols(20);
        using var stop = new CancellationTokenSource();
        var blocks = 0;
        using var reader = new DataSetReader(ExpressionSamples.File(many, genes), new DataSetSettings
        {
            FewestGenes = 0,
            Cancel = stop.Token,
            Progress = (_, _) =>
            {
                blocks++;
                stop.Cancel();
            },
        });
        Assert.Throws<OperationCanceledException>(() => reader.Prepare(GenePanel.All(new GeneVocabulary(genes))));
        Assert.Equal(1, blocks);

        using var judged = new DataSetReader(ExpressionSamples.File(many, genes), new DataSetSettings { Cancel = stop.Token });
        Assert.Throws<OperationCanceledException>(() => judged.Quality);
    }

    private static MemoryExpressionFile Labelled() => ExpressionSamples.File(counts, symbols)
        .WithObs("cell_type", [.. Enumerable.Range(0, Cells).Select(c => c % 2 == 0 ? " alpha" : "beta")])
        .WithObs("group", [.. Enumerable.Range(0, Cells).Select(c => "abc"[c % 3].ToString())])
        .WithObs("gaps", [.. Enumerable.Range(0, Cells).Select(c => c % 10 == 0 ? (c % 20 == 0 ? null : "nan") : "alpha")]);
}
