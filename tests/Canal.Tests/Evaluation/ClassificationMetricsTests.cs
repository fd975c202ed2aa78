using Canal.Engine.Random;
using Canal.Evaluation;

namespace Canal.Tests.Evaluation;

public sealed class ClassificationMetricsTests
{
    private const double Exact = 1e-12;

    [Fact]
    public void Accuracy_macro_F1_and_adjusted_Rand_index_as_computed_by_hand()
    {
        string[] truth = ["a", "a", "a", "a", "b", "b", "c"];
        string[] predicted = ["a", "a", "b", "d", "b", "b", "a"];
        Assert.Equal(4.0 / 7, ClassificationMetrics.Accuracy(truth, predicted), Exact);
        // a: 2 right of 4, named 3 times: 4/7. b: 2 of 2, named 3 times: 4/5. c: never named. d is not among the true labels.
        Assert.Equal(((4.0 / 7) + (4.0 / 5) + 0) / 3, ClassificationMetrics.MacroF1(truth, predicted), Exact);
        // Pairs together in both: aa 1, bb 1 = 2; in truth 6 + 1 = 7, in prediction 3 + 3 = 6, of 21: expected 2, largest 6.5.
        Assert.Equal(0.0, ClassificationMetrics.AdjustedRandIndex(truth, predicted), Exact);
        // x holds a a a, y holds a b b c: together 3 + 0 + 1 = 4; in truth 7, in prediction 3 + 6 = 9, of 21: expected 3, largest 8.
        Assert.Equal((4.0 - 3) / (8 - 3), ClassificationMetrics.AdjustedRandIndex(truth, ["x", "x", "x", "y", "y", "y", "y"]), Exact);
    }

    [Fact]
    public void Adjusted_Rand_index_ignores_names_and_is_near_0_by_chance()
    {
        var random = new RandomSequence(1, RandomPurpose.Testing);
        int[] truth = [.. Enumerable.Range(0, 2000).Select(_ => random.NextInt(5))];
        int[] chance = [.. Enumerable.Range(0, 2000).Select(_ => random.NextInt(7))];
        Assert.Equal(1.0, ClassificationMetrics.AdjustedRandIndex(truth, [.. truth.Select(type => 10 - type)]), Exact);
        Assert.InRange(ClassificationMetrics.AdjustedRandIndex(truth, chance), -0.01, 0.01);
        Assert.Equal(1.0, ClassificationMetrics.AdjustedRandIndex([1, 1], [2, 2]), Exact);
        Assert.Equal(1.0, ClassificationMetrics.AdjustedRandIndex([1], [2]), Exact);
        Assert.Equal(0.0, ClassificationMetrics.AdjustedRandIndex([1, 1, 1], [1, 2, 3]), Exact);
    }

    [Fact]
    public void Perfect_predictions_score_1_and_no_cells_score_nothing()
    {
        var scores = ClassificationMetrics.Of(["a", "b", "b"], ["a", "b", "b"]);
        Assert.Equal(new ClassificationScores(3, 1, 1, 1), scores);
        var none = ClassificationMetrics.Of<string>([], []);
        Assert.True(double.IsNaN(none.Accuracy) && double.IsNaN(none.MacroF1) && double.IsNaN(none.AdjustedRandIndex));
        Assert.Throws<ArgumentException>(() => ClassificationMetrics.Of(["a"], []));
    }

    [Fact]
    public void Scores_do_not_depend_on_the_order_of_the_cells()
    {
        var random = new RandomSequence(2, RandomPurpose.Testing);
        (int T, int P)[] cells = [.. Enumerable.Range(0, 500).Select(_ => (random.NextInt(4), random.NextInt(5)))];
        var turned = cells.ToArray();
        random.Shuffle<(int, int)>(turned);
        var (one, other) = (ClassificationMetrics.Of([.. cells.Select(c => c.T)], [.. cells.Select(c => c.P)]), ClassificationMetrics.Of([.. turned.Select(c => c.T)], [.. turned.Select(c => c.P)]));
        Assert.Equal(one.Accuracy, other.Accuracy, Exact);
        Assert.Equal(one.MacroF1, other.MacroF1, Exact);
        Assert.Equal(one.AdjustedRandIndex, other.AdjustedRandIndex, Exact);
    }

    [Fact]
    public void A_confusion_matrix_counts_and_writes_names_that_a_spreadsheet_does_not_run()
    {
        var matrix = new ConfusionMatrix(["b", "b", "=cmd()"], ["b", "a,c", "b"]);
        Assert.Equal(["=cmd()", "a,c", "b"], matrix.Names);
        Assert.Equal((1, 1, 1, 0), (matrix[2, 2], matrix[2, 1], matrix[0, 2], matrix[0, 0]));
        Assert.Equal("truth \\ predicted,'=cmd(),\"a,c\",b\n'=cmd(),0,0,1\n\"a,c\",0,0,0\nb,0,1,1\n", matrix.ToCsv());
    }

    [Fact]
    public void Open_set_scores_as_computed_by_hand()
    {
        string[] truth = ["a", "a", "b", "b", "x", "y", "y"];
        string[] predicted = ["a", "-", "b", "a", "-", "-", "b"];
        var scores = NoveltyMetrics.OpenSet(truth, predicted, new HashSet<string> { "a", "b" }, "-");
        Assert.Equal(0.5, scores.KnownAccuracy, Exact);
        Assert.Equal(2.0 / 3, scores.NovelAccuracy, Exact);
        Assert.Equal(4.0 / 7, scores.Accuracy, Exact);
        Assert.Equal(2 * 0.5 * (2.0 / 3) / (0.5 + (2.0 / 3)), scores.HScore, Exact);
        Assert.Equal(0, NoveltyMetrics.Harmonic(0, 0));
        Assert.True(double.IsNaN(NoveltyMetrics.OpenSet(["a"], ["a"], new HashSet<string> { "a" }, "-").HScore));
    }

    [Fact]
    public void Auroc_counts_pairs_with_ties_by_half()
    {
        Assert.Equal(1.0, NoveltyMetrics.Auroc([0.1, 0.2], [0.3]), Exact);
        Assert.Equal(0.5, NoveltyMetrics.Auroc([0.3, 0.3], [0.3]), Exact);
        Assert.Equal((1 + 0.5 + 0 + 1 + 1 + 0.5) / 6, NoveltyMetrics.Auroc([1, 2, 3], [2, 3]), Exact);
        Assert.True(double.IsNaN(NoveltyMetrics.Auroc([], [1])));
        var random = new RandomSequence(3, RandomPurpose.Testing);
        double[] known = [.. Enumerable.Range(0, 60).Select(_ => Math.Round(random.NextNormal(), 1))];
        double[] novel = [.. Enumerable.Range(0, 40).Select(_ => Math.Round(random.NextNormal() + 1, 1))];
        var pairs = known.Sum(k => novel.Sum(n => n > k ? 1 : n == k ? 0.5 : 0)) / 2400;
        Assert.Equal(pairs, NoveltyMetrics.Auroc(known, novel), Exact);
    }

    [Fact]
    public void False_positives_are_counted_at_the_strictest_threshold_that_finds_enough()
    {
        double[] novel = [.. Enumerable.Range(1, 20).Select(i => (double)i)];
        // 95 % of 20 is 19: the threshold is 2.
        Assert.Equal(0.5, NoveltyMetrics.FalsePositiveRate([0, 1, 2, 3], novel), Exact);
        Assert.Equal(0.25, NoveltyMetrics.FalsePositiveRate([0, 1, 2, 20], novel, 0.9), Exact);
        Assert.True(double.IsNaN(NoveltyMetrics.FalsePositiveRate([1], [])));
    }

    [Fact]
    public void Calibration_error_as_computed_by_hand()
    {
        // Two bins: (0, 0.5] holds 0.5 (wrong) and 0.25 (right), (0.5, 1] holds 1.0 (right) and 0.75 (wrong).
        Assert.Equal((Math.Abs(1 - 0.75) + Math.Abs(1 - 1.75)) / 4, NoveltyMetrics.CalibrationError([0.5, 0.25, 1, 0.75], [false, true, true, false], 2), Exact);
        Assert.Equal(0, NoveltyMetrics.CalibrationError([1, 1, 1], [true, true, true]), Exact);
    }
}
