using Canal.Data;
using Canal.Testing;

namespace Canal.Tests.Data;

/// <summary>golden/preprocess: numbers of scanpy and of CANAL's preprocessing, with the rightful differences of method.md section 9 named in the tests.</summary>
public sealed class GoldenPreprocessTests
{
    private const int MinGenes = 120;
    private const double RoundoffOfDouble = 1.0 / (1L << 53);
    private static readonly string[] symbols = [.. Enumerable.Range(0, 420).Select(i => $"GENE{i}")];

    [SkippableFact]
    public void CellsAreJudgedByTheirExpressedGenes()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var rows = Rows(golden);
        var quality = new CellQuality(MinGenes, null);
        for (var cell = 0; cell < 90; cell++)
        {
            var expressed = CellQuality.ExpressedGenes(rows, cell);
            Assert.Equal(golden.Ints("n_genes")[cell], expressed);
            Assert.Equal(golden.Ints("cell_kept")[cell] == 0, quality.IsLow(expressed));
        }
    }

    [SkippableFact]
    public void TotalsNormalisedValuesAndLogFeaturesAgree()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var (totals, normalised, logs) = (golden.Doubles("f64.total_counts"), golden.Doubles("f64.normalized"), golden.Doubles("f64.log2"));
        var kept = Kept(golden);
        for (var row = 0; row < kept.Count; row++)
        {
            var (genes, counts) = kept[row];
            var total = counts.Sum();
            Assert.Equal(totals[row], total);
            for (var i = 0; i < genes.Length; i++)
            {
                var at = row * 420 + genes[i];
                // Two roundings here (times 1e4, divided by the total) against two there; then one logarithm each.
                Close(normalised[at], ExpressionBins.Normalised(counts[i], total), 4 * RoundoffOfDouble * normalised[at]);
                Close(logs[at], ExpressionBins.LogFeature(counts[i], total), 1e-14);
            }
        }
    }

    [SkippableFact]
    public void MeansVariancesDispersionsBinsAndNormalisedDispersionsAgree()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var accumulated = Accumulate(golden);
        var table = accumulated.Dispersions();
        // Float64 here, by another recurrence, against float64 there through log and exp: relative rounding of sums over 76 cells.
        const double relative = 1e-12;
        AllClose(golden.Doubles("f64.hvg.mean_counts"), accumulated.Means(), relative, 0);
        AllClose(golden.Doubles("f64.hvg.variance"), accumulated.Variances(), 1e-11, 1e-9);
        AllClose(golden.Doubles("f64.hvg.means"), table.LogMeans, relative, 1e-16);
        AllClose(golden.Doubles("f64.hvg.dispersions"), table.Dispersions, 0, 1e-10);
        AllClose(golden.Doubles("f64.hvg.bin_edges"), table.Edges, relative, 1e-12);
        Assert.Equal(golden.Ints("f64.hvg.bin"), table.BinOfGene);
        AllClose(golden.Doubles("f64.hvg.dispersions_norm"), table.Normalised, 0, 1e-8);
        Close(golden.Scalar("f64.hvg.cutoff"), table.Normalised.Where(z => !double.IsNaN(z)).OrderDescending().ElementAt(59), 1e-8);
    }

    [SkippableFact]
    public void TheSameSixtyGenesAreSelected()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var selected = Accumulate(golden).Select(60);
        Assert.Equal(golden.Ints("f64.hvg.selected_index"), selected);
        Assert.Equal(golden.Ints("f32.hvg.selected_index"), selected);
    }

    [SkippableFact]
    public void RightfulDifference_UndefinedDispersionsAreNeverSelected()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var selected = Accumulate(golden).Select(415);
        var recent = golden.Ints("edge.top415.highly_variable_nan_as_minus_inf");
        var old = golden.Ints("edge.top415.highly_variable_nan_as_zero");
        Assert.Equal(409, selected.Length);
        Assert.Equal(Enumerable.Range(0, 420).Where(g => recent[g] == 1), selected);
        Assert.Equal(420, old.Sum());
    }

    [Fact]
    public void RightfulDifference_ExactlyTheNumberOfGenesThatWasAskedFor()
    {
        // Genes 2 and 5 have the same normalised dispersion, at the cut-off for two genes: scanpy takes both beside gene 3, Canal the first.
        double[] means = [1, 1, 1, 1, 1, 1, 50];
        double[] variances = [1, 2, 3, 4, 1, 3, 9];
        var table = HighlyVariableGenes.DispersionTable.Of(means, variances);
        Assert.Equal(table.Normalised[2], table.Normalised[5]);
        Assert.Equal(1, table.Normalised[6]);
        Assert.Equal([3, 6], table.Select(2));
        Assert.Equal([2, 3, 6], table.Select(3));
        Assert.Equal([2, 3, 5, 6], table.Select(4));
    }

    [SkippableFact]
    public void TokensOfThePanelAgree()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var panel = golden.Ints("f64.hvg.selected_index");
        var (tokens32, tokens64) = (golden.Ints("f32.tokens"), golden.Ints("f64.tokens"));
        var kept = Kept(golden);
        for (var row = 0; row < kept.Count; row++)
        {
            var (genes, counts) = kept[row];
            var total = counts.Sum();
            var dense = new byte[61];
            for (var i = 0; i < genes.Length; i++)
            {
                var position = Array.IndexOf(panel, genes[i]);
                if (position >= 0) dense[position] = ExpressionBins.Bin(counts[i], total);
            }
            for (var position = 0; position < 61; position++)
            {
                Assert.Equal(tokens64[row * 61 + position], dense[position]);
                Assert.Equal(tokens32[row * 61 + position], dense[position]);
            }
        }
    }

    [SkippableFact]
    public void RightfulDifference_BinsAreExactWhereAFloat32LogarithmRoundsUp()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var values = golden.Doubles("edge.value");
        var reference = golden.Ints("edge.tokens_f32_division");
        // A total of 10,000 makes the count the normalised value. 3 - 2^-22 is below 3, so its bin is 1; the reference says 2.
        int[] exact = [.. values.Select(v => (int)ExpressionBins.Bin(v, 1e4))];
        Assert.Equal([0, 1, 2, 3, 4, 5, 5, 0, 1, 3, 4], exact);
        Assert.Equal([8], Enumerable.Range(0, values.Length).Where(i => exact[i] != reference[i]));
        Assert.Equal(2.999999761581421, values[8], 15);
        var (binned, tokens) = (golden.Doubles("binning.value"), golden.Ints("binning.token"));
        for (var i = 0; i < binned.Length; i++) Assert.Equal(tokens[i], FromLog(binned[i]));

        // binning.value is log2(1 + v): brought back to a value first.
        static int FromLog(double log) => ExpressionBins.Bin(Math.Pow(2, log) - 1, 1e4);
    }

    [SkippableFact]
    public void AlignmentTakesTheFirstOccurrenceAndFillsAbsentGenesWithZero()
    {
        var golden = SharedFiles.Golden("preprocess", "preprocess");
        var vocabulary = new GeneVocabulary(["A1", "B2", "C3", "D4", "E5"]);
        string[] own = ["D4", "X9", "A1", "D4", "C3"];
        var counts = golden.Doubles("align.counts");
        var file = ExpressionSamples.File(ExpressionSamples.Dense(counts, 4, 5), own);
        var alignment = GeneAlignment.Match(file, "X", vocabulary);
        Assert.Equal(3, alignment.Kept);
        Assert.Equal(1, alignment.Duplicates);
        var (rows, aligned) = (new SparseRows(), new SparseRows());
        file.OpenMatrix("X").ReadCells(0, 4, rows);
        alignment.Apply(rows, aligned);
        Assert.Equal(golden.Doubles("align.aligned"), ExpressionSamples.ToDense(aligned, 5));
    }

    private static SparseRows Rows(GoldenTensors golden)
    {
        var rows = new SparseRows();
        ExpressionSamples.File(ExpressionSamples.Dense(golden.Doubles("counts"), 90, 420), symbols).OpenMatrix("X").ReadCells(0, 90, rows);
        return rows;
    }

    private static List<(int[] Genes, double[] Counts)> Kept(GoldenTensors golden)
    {
        var rows = Rows(golden);
        return [.. Enumerable.Range(0, 90).Where(c => golden.Ints("cell_kept")[c] == 1).Select(c => (rows.Genes(c).ToArray(), rows.Values(c).ToArray()))];
    }

    private static HighlyVariableGenes Accumulate(GoldenTensors golden)
    {
        var genes = new HighlyVariableGenes(420);
        foreach (var (places, counts) in Kept(golden)) genes.Add(places, counts);
        return genes;
    }

    private static void Close(double expected, double actual, double allowed) =>
        Assert.True(Math.Abs(expected - actual) <= allowed, $"{actual:R} differs from {expected:R} by more than {allowed:e1}");

    private static void AllClose(double[] expected, double[] actual, double relative, double absolute)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            if (double.IsNaN(expected[i]) && double.IsNaN(actual[i])) continue;
            var allowed = relative * Math.Abs(expected[i]) + absolute;
            Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"element {i}: {actual[i]:R} differs from {expected[i]:R} by more than {allowed:e1}");
        }
    }
}
