using Canal.Annotation;
using Canal.Engine.Random;
using Canal.Testing;

namespace Canal.Tests.Annotation;

public sealed class FileNoveltyTests
{
    // Inputs (logits, manifold, weights) are the float32 ones; the reference in float64 differs by what float32 inputs bring: logits 2.7e-6
    // (manifest), energies the same, and the range that divides them is about 3: 1e-5 is several times that.
    private const double Allowed = 1e-5;

    [SkippableFact]
    public void Scores_threshold_and_verdicts_agree_with_the_reference_for_its_recorded_draws()
    {
        var (inputs, weights) = (SharedFiles.Golden("novelty", "inputs"), SharedFiles.Golden("novelty", "weights"));
        var (single, exact) = (SharedFiles.Golden("novelty", "outputs_f32"), SharedFiles.Golden("novelty", "outputs_f64"));
        var head = new HeadLayers(weights.Floats("to_out.fc2.weight"), weights.Floats("to_out.fc2.bias"), weights.Floats("to_out.fc3.weight"), weights.Floats("to_out.fc3.bias"));
        var result = FileNovelty.Score(single.Floats("logits"), single.Floats("manifold"), head, 0.8, inputs.Ints("partner_index"), inputs.Doubles("beta_weights"));

        Assert.True(Math.Abs(result.Threshold - exact.Scalar("threshold")) <= Allowed);
        var scores = exact.Doubles("total_score");
        for (var cell = 0; cell < scores.Length; cell++)
        {
            Assert.True(Math.Abs(result.Scores[cell] - scores[cell]) <= Allowed, $"cell {cell}: {result.Scores[cell]} and {scores[cell]}");
            Assert.Equal(single.Ints("unassigned")[cell] == 1, result.IsNovel(cell));
            Assert.Equal(result.IsNovel(cell), result.Written(cell) > 0.5);
        }
    }

    [SkippableFact]
    public void Energies_and_confidences_agree_with_the_reference()
    {
        var (single, exact) = (SharedFiles.Golden("novelty", "outputs_f32"), SharedFiles.Golden("novelty", "outputs_f64"));
        var (energy, confidence, predicted) = (exact.Doubles("energy"), exact.Doubles("confidence"), single.Ints("predicted"));
        for (var cell = 0; cell < energy.Length; cell++)
        {
            var certainty = Certainty.Of(single.Floats("logits").AsSpan(cell * 5, 5), 0.8);
            Assert.Equal(predicted[cell], certainty.Type);
            Assert.True(Math.Abs(certainty.Energy - energy[cell]) <= Allowed);
            Assert.True(Math.Abs(certainty.Confidence - confidence[cell]) <= Allowed);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void One_cell_and_cells_that_are_all_alike_divide_by_nothing(int cells)
    {
        var head = new HeadLayers([1, 0, 0, 1], [0, 0], [1, 2, 3, 4], [0, 1]);
        float[] logits = [.. Enumerable.Repeat(new[] { 1f, 3f }, cells).SelectMany(row => row)];
        float[] manifolds = [.. Enumerable.Repeat(new[] { 0.5f, 0.25f }, cells).SelectMany(row => row)];
        var result = FileNovelty.Score(logits, manifolds, head, 0.8, seed: 3);
        Assert.True(double.IsFinite(result.Threshold));
        Assert.All(result.Scores, score => Assert.True(double.IsFinite(score)));
        Assert.InRange(result.Threshold, 0, 1); // a mean of values in 0..1, even where mixtures differ by rounding alone
    }

    [Fact]
    public void Mixtures_are_drawn_and_forgotten_one_by_one()
    {
        const int cells = 2000;
        var head = new HeadLayers([1, 0, 0, 1], [0, 0.1f], [1, -2, -3, 1], [0, 1]);
        var random = new RandomSequence(5, RandomPurpose.NoveltyMixing);
        var (logits, manifolds) = (new float[2 * cells], new float[2 * cells]);
        for (var i = 0; i < logits.Length; i++) (logits[i], manifolds[i]) = ((float)random.NextDouble(), (float)random.NextDouble());
        FileNovelty.Score(logits[..4], manifolds[..4], head, 0.8, seed: 9);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = FileNovelty.Score(logits, manifolds, head, 0.8, seed: 9);
        var perCell = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)cells;
        // A certainty, a score and two inner products, 48 bytes; the weights of the mixtures alone would be 1,024.
        Assert.InRange(perCell, 0, 100);

        // The rule as it is written, every mixture kept, with the same draws.
        var (energies, confidences) = (new List<double>(), new List<double>());
        for (var cell = 0; cell < cells; cell++)
        {
            var draws = new RandomSequence(9, RandomPurpose.NoveltyMixing, index: cell);
            var other = draws.NextInt(cells);
            for (var j = 0; j < FileNovelty.Mixtures; j++)
            {
                var w = draws.NextDouble();
                double Mixed(int m) => (w * manifolds[(2 * cell) + m]) + ((1 - w) * manifolds[(2 * other) + m]);
                var (a, b) = (Math.Max(0, Mixed(0)), Math.Max(0, Mixed(1) + 0.1f));
                var certainty = Certainty.Of([a - (2 * b), (-3 * a) + b + 1], 0.8);
                energies.Add(certainty.Energy);
                confidences.Add(certainty.Confidence);
            }
        }
        var (lowest, highest) = (energies.Min(), energies.Max());
        var expected = (energies.Average(e => 1 - ((e - lowest) / (highest - lowest))) + confidences.Average()) / 2;
        Assert.True(Math.Abs(result.Threshold - expected) <= 1e-12, $"{result.Threshold} and {expected}"); // sums of 256,000 float64 terms
    }

    [Fact]
    public void The_same_seed_gives_the_same_threshold_and_another_seed_another()
    {
        var head = new HeadLayers([1, 0, 0, 1], [0, 0], [1, -2, -3, 1], [0, 1]);
        float[] logits = [1, 3, 4, 1, 0, 0.5f];
        float[] manifolds = [1, 0, 0, 1, 2, 1];
        double Threshold(ulong seed) => FileNovelty.Score(logits, manifolds, head, 0.8, seed).Threshold;
        Assert.Equal(Threshold(3), Threshold(3));
        Assert.NotEqual(Threshold(3), Threshold(4));
        Assert.Empty(FileNovelty.Score([], [], head, 0.8, 1).Scores);
    }

    [Fact]
    public void Energy_survives_logits_that_overflow_an_exponential()
    {
        var certainty = Certainty.Of([1000f, 1000f, -1000f], 0.8);
        Assert.Equal(-1000 - (0.8 * Math.Log(2)), certainty.Energy, 1e-9);
        Assert.Equal(0.5, certainty.Confidence, 1e-12);
        Assert.Equal(0, certainty.Type);
    }
}
