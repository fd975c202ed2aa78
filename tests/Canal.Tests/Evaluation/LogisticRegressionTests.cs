using Canal.Engine.Random;
using Canal.Evaluation;

namespace Canal.Tests.Evaluation;

public sealed class LogisticRegressionTests
{
    private const int Types = 4, Genes = 6, Cells = 120;
    private static readonly LogisticRegressionSettings Tight = new() { Tolerance = 1e-9, Iterations = 5000 };

    // The objective is convex, and strictly so but for a shift of all intercepts by the same number: where its slopes vanish is the minimum.
    [Theory]
    [InlineData(0.1)]
    [InlineData(10.0)]
    public void The_fit_is_where_every_slope_of_the_objective_vanishes(double c)
    {
        var (dense, labels) = Sample(1);
        var model = LogisticRegression.Fit(SparseFeatures.Of(dense), labels, Types, c, Tight);
        Assert.True(model.Converged);
        var at = Enumerable.Range(0, (Genes + 1) * Types).Select(i => model.Weight(i / Types, i % Types)).ToArray();
        var value = Objective(at, dense, labels, c);
        var random = new RandomSequence(8, RandomPurpose.Testing);
        for (var i = 0; i < at.Length; i++)
        {
            // Values of about 100: rounding of a difference over 2e-6 is 1e-8.
            Assert.Equal(0, Slope(at, i, dense, labels, c), 1e-6);
            Assert.True(Objective([.. at.Select(x => x + (0.01 * random.NextNormal()))], dense, labels, c) > value);
        }
    }

    [Fact]
    public void The_gradient_is_that_of_central_differences()
    {
        var (dense, labels) = Sample(2);
        var random = new RandomSequence(4, RandomPurpose.Testing);
        var weights = Enumerable.Range(0, (Genes + 1) * Types).Select(_ => random.NextNormal()).ToArray();
        var objective = new MultinomialObjective(SparseFeatures.Of(dense), labels, Types, 0.5, 2);
        var at = objective.Parameters(weights);
        var gradient = new double[at.Length];
        Assert.Equal(Objective(weights, dense, labels, 0.5), objective.Evaluate(at, gradient), 1e-9);
        var moved = new double[at.Length];
        for (var i = 0; i < at.Length; i++)
        {
            const double step = 1e-6;
            double Value(double by)
            {
                objective.Weights([.. at.Select((x, j) => j == i ? x + by : x)], moved);
                return Objective(moved, dense, labels, 0.5);
            }
            // Values of about 300: rounding of a difference over 2e-6 is 3e-8, and the third derivative adds less.
            Assert.Equal((Value(step) - Value(-step)) / (2 * step), gradient[i], 1e-5);
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var (dense, labels) = Sample(3);
        var fits = new[] { 1, 2, 3, 7 }.Select(threads => LogisticRegression.FitBest(SparseFeatures.Of(dense), labels, Types, new LogisticRegressionSettings { Threads = threads })).ToArray();
        Assert.All(fits, fit => Assert.Equal(fits[0].C, fit.C));
        for (var gene = 0; gene <= Genes; gene++)
        {
            for (var type = 0; type < Types; type++) Assert.All(fits, fit => Assert.Equal(fits[0].Weight(gene, type), fit.Weight(gene, type)));
        }
    }

    [Fact]
    public void Separable_types_are_told_apart_and_probabilities_add_to_1()
    {
        var (dense, labels) = Sample(5, separation: 6);
        var features = SparseFeatures.Of(dense);
        var model = LogisticRegression.FitBest(features, labels, Types, new LogisticRegressionSettings());
        Assert.Equal(labels, model.Predict(features));
        var probabilities = new double[Types];
        for (var cell = 0; cell < Cells; cell++)
        {
            model.Probabilities(features, cell, probabilities);
            Assert.Equal(1, probabilities.Sum(), 1e-12);
            Assert.Equal(labels[cell], probabilities.AsSpan().IndexOf(probabilities.Max()));
        }
    }

    [Fact]
    public void Folds_are_stratified_and_every_cell_is_in_one()
    {
        int[] labels = [.. Enumerable.Repeat(0, 53), .. Enumerable.Repeat(1, 7), .. Enumerable.Repeat(2, 1)];
        var folds = LogisticRegression.StratifiedFolds(labels, 3, 5, 1);
        for (var fold = 0; fold < 5; fold++)
        {
            Assert.InRange(folds.Count(f => f == fold), 12, 13);
            Assert.InRange(Enumerable.Range(0, 53).Count(cell => folds[cell] == fold), 10, 11);
            Assert.InRange(Enumerable.Range(53, 7).Count(cell => folds[cell] == fold), 1, 2);
        }
        Assert.Equal(folds, LogisticRegression.StratifiedFolds(labels, 3, 5, 1));
        Assert.NotEqual(folds, LogisticRegression.StratifiedFolds(labels, 3, 5, 2));
    }

    [Fact]
    public void A_single_type_can_be_fitted_and_is_always_named()
    {
        var (dense, _) = Sample(6);
        var model = LogisticRegression.FitBest(SparseFeatures.Of(dense), new int[Cells], 1, new LogisticRegressionSettings());
        Assert.All(model.Predict(SparseFeatures.Of(dense)), type => Assert.Equal(0, type));
    }

    [Fact]
    public void A_fit_whose_iterations_run_out_says_so_and_keeps_the_best_it_found()
    {
        var (dense, labels) = Sample(7);
        var features = SparseFeatures.Of(dense);
        var cut = LogisticRegression.Fit(features, labels, Types, 10, new LogisticRegressionSettings { Iterations = 3, Tolerance = 1e-12 });
        Assert.False(cut.Converged);
        Assert.Equal(3, cut.Iterations);
        Assert.True(ClassificationMetrics.Accuracy(labels, cut.Predict(features)) > 0.5);
    }

    private static (float[,] Features, int[] Labels) Sample(int stream, double separation = 1.5)
    {
        var random = new RandomSequence(21, RandomPurpose.Testing, index: stream);
        var (dense, labels) = (new float[Cells, Genes], new int[Cells]);
        for (var cell = 0; cell < Cells; cell++)
        {
            labels[cell] = cell % Types;
            for (var gene = 0; gene < Genes; gene++)
            {
                // Half of what is not the type's own gene is zero, as in counts.
                var value = (gene == labels[cell] ? separation : 0) + (0.7 * random.NextNormal());
                dense[cell, gene] = gene != labels[cell] && random.NextInt(2) == 0 ? 0 : (float)value;
            }
        }
        return (dense, labels);
    }

    private static double Objective(double[] x, float[,] dense, int[] labels, double c)
    {
        var total = 0.0;
        for (var i = 0; i < Genes * Types; i++) total += x[i] * x[i] / (2 * c);
        for (var cell = 0; cell < Cells; cell++)
        {
            var logits = new double[Types];
            for (var type = 0; type < Types; type++)
            {
                logits[type] = x[(Genes * Types) + type];
                for (var gene = 0; gene < Genes; gene++) logits[type] += dense[cell, gene] * x[(gene * Types) + type];
            }
            total += Math.Log(logits.Sum(Math.Exp)) - logits[labels[cell]];
        }
        return total;
    }

    private static double Slope(double[] x, int place, float[,] dense, int[] labels, double c)
    {
        const double step = 1e-6;
        var (above, below) = ((double[])x.Clone(), (double[])x.Clone());
        above[place] += step;
        below[place] -= step;
        return (Objective(above, dense, labels, c) - Objective(below, dense, labels, c)) / (2 * step);
    }
}
