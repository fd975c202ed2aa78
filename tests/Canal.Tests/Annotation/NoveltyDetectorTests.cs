using Canal.Annotation;
using Canal.Engine.Random;

namespace Canal.Tests.Annotation;

public sealed class NoveltyDetectorTests
{
    private const int Width = 6, Types = 3;

    [Fact]
    public void Thresholds_are_the_shrunken_quantiles_of_the_method()
    {
        double[] scores = [0, 1, 2, 3, 4, 10, 20];
        int[] predicted = [0, 0, 0, 0, 0, 1, 1];
        var thresholds = NoveltyThresholds.Fit(3, predicted, scores, 0.5);
        // Medians: of all 3, of type 0 2, of type 1 15, of type 2 nothing.
        Assert.Equal(((5 * 2.0) + (50 * 3.0)) / 55, thresholds.Types[0], 1e-12);
        Assert.Equal(((2 * 15.0) + (50 * 3.0)) / 52, thresholds.Types[1], 1e-12);
        Assert.Equal(3.0, thresholds.Types[2], 1e-12);
    }

    [Theory]
    [InlineData(0.0, 1.0)]
    [InlineData(0.3, 3.1)]
    [InlineData(0.5, 4.5)]
    [InlineData(1.0, 9.0)]
    public void Quantiles_interpolate_between_order_statistics(double share, double expected) =>
        Assert.Equal(expected, NoveltyThresholds.Quantile([9, 1, 5, 3, 2, 6, 4, 8], share), 1e-12);

    [Theory]
    [InlineData(NoveltyRule.Stored)]
    [InlineData(NoveltyRule.Distance)]
    public void The_written_score_is_ranked_as_the_raw_one_and_never_clipped(NoveltyRule rule)
    {
        var detector = new NoveltyDetector(rule, Calibrate(new NoveltySettings()));
        var previous = 0.0;
        // From surer than any known cell to vaguer and farther than any: the same type throughout.
        for (var step = 0; step <= 40; step++)
        {
            var logits = new[] { 12f - (0.2f * step), 0f, 0f };
            var representation = Enumerable.Range(0, Width).Select(c => c == 0 ? 4f : 0.5f * step).ToArray();
            var score = detector.Score(logits, representation);
            Assert.True(score > previous && score < 1, $"step {step}: {score} after {previous}");
            previous = score;
        }
        Assert.True(previous > 0.5);
    }

    [Theory]
    [InlineData(NoveltyRule.Stored)]
    [InlineData(NoveltyRule.Distance)]
    [InlineData(NoveltyRule.Probability)]
    public void A_cell_gets_the_same_verdict_alone_and_in_any_file(NoveltyRule rule)
    {
        var detector = new NoveltyDetector(rule, Calibrate(new NoveltySettings()));
        var (cells, _) = Cells(2, 50);
        var together = detector.Score(cells);
        for (var cell = 0; cell < cells.Cells; cell++) Assert.Equal(together[cell], Assert.Single(detector.Score(cells.Select([cell]))));
    }

    [Theory]
    [InlineData(0.9)]
    [InlineData(0.95)]
    public void Known_cells_are_accepted_at_about_the_rate_asked_for(double rate)
    {
        foreach (var rule in new[] { NoveltyRule.Stored, NoveltyRule.Distance })
        {
            var detector = new NoveltyDetector(rule, Calibrate(new NoveltySettings { AcceptanceRate = rate }));
            var accepted = detector.Score(Cells(3, 2000).Outputs).Count(score => score <= 0.5) / 2000.0;
            // 2,000 new cells and 600 calibration cells: standard deviation of the rate below 0.015; 4 of those.
            Assert.InRange(accepted, rate - 0.06, rate + 0.06);
        }
    }

    [Theory]
    [InlineData(DistanceMeasure.Mahalanobis)]
    [InlineData(DistanceMeasure.RelativeMahalanobis)]
    [InlineData(DistanceMeasure.Cosine)]
    [InlineData(DistanceMeasure.Neighbours)]
    public void Every_distance_tells_cells_of_an_unknown_direction_from_known_ones(DistanceMeasure measure)
    {
        var (known, labels) = Cells(1, 600);
        var statistics = RepresentationStatistics.Of(known, labels);
        var fresh = Cells(4, 200).Outputs;
        var strange = Cells(5, 200, direction: 5).Outputs;
        var limit = NoveltyThresholds.Quantile([.. Enumerable.Range(0, 200).Select(c => statistics.Distance(measure, fresh.RepresentationOf(c)))], 0.95);
        var found = Enumerable.Range(0, 200).Count(c => statistics.Distance(measure, strange.RepresentationOf(c)) > limit);
        Assert.True(found >= 190, $"{found} of 200");
    }

    [Fact]
    public void Mahalanobis_distance_is_that_of_the_shrunken_covariance()
    {
        // One type at the origin, variances 4 and 1 and no covariance: shrunken to 0.9 * 4 + 0.1 * 2.5 and 0.9 + 0.25.
        var statistics = new RepresentationStatistics(2, [10, 0], [0, 0, 3, 3], [4, 0, 0, 1], [0, 0], [4, 0, 0, 1], [1, 0]);
        Assert.Equal(Math.Log(1 + Math.Sqrt((9 / 3.85) + (4 / 1.15))), statistics.Distance(DistanceMeasure.Mahalanobis, [3, 2]), 1e-9);
    }

    [Fact]
    public void Cells_that_are_all_alike_and_dead_units_give_finite_scores()
    {
        var outputs = new CellOutputs(2, [1, 0, 1, 0, 1, 0], 2, [0, 0, 0, 0, 0, 0]);
        foreach (var measure in Enum.GetValues<DistanceMeasure>())
        {
            var calibration = NoveltyCalibration.Fit(new NoveltySettings { Measure = measure }, outputs, [0, 0, 0], outputs);
            Assert.True(double.IsFinite(new NoveltyDetector(NoveltyRule.Distance, calibration).Score([1, 0], [0, 0])));
            Assert.True(double.IsFinite(new NoveltyDetector(NoveltyRule.Stored, calibration).Score([1, 0], [0, 0])));
        }
    }

    [Fact]
    public void Without_validation_cells_there_is_no_calibration_and_the_probability_decides()
    {
        var (known, labels) = Cells(1, 60);
        Assert.Null(NoveltyCalibration.Fit(new NoveltySettings(), known, labels, known.Select([])));
        Assert.Equal(NoveltyRule.Probability, NoveltyDetector.DefaultRule(null));
        Assert.Contains("--novelty", Assert.Throws<UserException>(() => new NoveltyDetector(NoveltyRule.Stored, null)).Message, StringComparison.Ordinal);
        var detector = new NoveltyDetector(NoveltyRule.Probability, null);
        Assert.True(detector.Score([0, 0, 0], []) > 0.5);
        Assert.True(detector.Score([1, 0, 0], []) < 0.5);
        Assert.Equal(0.5, detector.Score([1, 1], []));
    }

    [Fact]
    public void An_unknown_rule_is_refused_with_the_names_there_are()
    {
        Assert.Equal(NoveltyRule.Distance, NoveltyRules.Parse("distance"));
        Assert.Contains("stored, distance, file, probability", Assert.Throws<UserException>(() => NoveltyRules.Parse("x")).Message, StringComparison.Ordinal);
    }

    private static NoveltyCalibration Calibrate(NoveltySettings settings)
    {
        var (training, labels) = Cells(1, 600);
        return NoveltyCalibration.Fit(settings, training, labels, Cells(2, 600).Outputs)!;
    }

    // Type k points along axis k; logits follow the representation. A direction of its own makes cells of no known type.
    private static (CellOutputs Outputs, int[] Labels) Cells(int stream, int count, int? direction = null)
    {
        var random = new RandomSequence(11, RandomPurpose.Testing, index: stream);
        var (logits, representations, labels) = (new float[count * Types], new float[count * Width], new int[count]);
        for (var cell = 0; cell < count; cell++)
        {
            labels[cell] = random.NextInt(Types);
            for (var c = 0; c < Width; c++) representations[(cell * Width) + c] = (float)(((direction ?? labels[cell]) == c ? 4 : 0) + (0.5 * random.NextNormal()));
            for (var k = 0; k < Types; k++) logits[(cell * Types) + k] = 2 * representations[(cell * Width) + k];
        }
        return (new CellOutputs(Types, logits, Width, representations), labels);
    }
}
