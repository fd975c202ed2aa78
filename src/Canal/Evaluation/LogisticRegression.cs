using Canal.Engine.Random;

namespace Canal.Evaluation;

/// <summary>Settings of the baseline: those of scikit-learn's LogisticRegression as the development baselines use it.</summary>
public sealed record LogisticRegressionSettings
{
    /// <summary>The values of C to choose from, rising.</summary>
    public IReadOnlyList<double> Candidates { get; init; } = [0.01, 0.1, 1, 10];

    /// <summary>Folds of the choice.</summary>
    public int Folds { get; init; } = 5;

    /// <summary>Largest component of the gradient at which a fit ends.</summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>Most iterations of a fit.</summary>
    public int Iterations { get; init; } = 500;

    /// <summary>Seed of the folds.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Most threads; changes no bit.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

/// <summary>
/// Multinomial logistic regression with an L2 penalty: minimises sum(-log p) + |W|^2 / (2 C), intercepts unpenalised (scikit-learn's C). What
/// every result of Canal is printed beside.
/// </summary>
public sealed class LogisticRegression
{
    private readonly double[] weights;
    private readonly int columns, stride;

    private LogisticRegression(double[] weights, int columns, int types, double c, MinimisationResult end) =>
        (this.weights, this.columns, stride, Types, C, Iterations, Converged) = (weights, columns, MultinomialObjective.StrideOf(types), types, c, end.Iterations, end.Converged);

    /// <summary>K: number of types.</summary>
    public int Types { get; }

    /// <summary>Strength of the fit; smaller is smoother.</summary>
    public double C { get; }

    /// <summary>Iterations of the last fit.</summary>
    public int Iterations { get; }

    /// <summary>Whether the last fit ended before its iterations ran out.</summary>
    public bool Converged { get; }

    /// <summary>Weight of a feature for a type; the feature numbered <c>columns</c> is the intercept.</summary>
    public double Weight(int feature, int type) => weights[(feature * stride) + type];

    /// <summary>Chooses C by stratified cross-validation (mean accuracy, ties to the smaller) and fits all cells, each fit starting from that of the C before.</summary>
    /// <param name="features">The cells.</param>
    /// <param name="labels">Index of each cell's type, below <paramref name="types"/>.</param>
    /// <param name="types">K.</param>
    /// <param name="settings">How.</param>
    public static LogisticRegression FitBest(SparseFeatures features, int[] labels, int types, LogisticRegressionSettings settings)
    {
        var best = settings.Candidates.Count == 1 ? 0 : Choose(features, labels, types, settings);
        return FitPath(features, labels, types, [.. settings.Candidates.Take(best + 1)], settings, settings.Threads)[^1];
    }

    /// <summary>Fits one value of C.</summary>
    public static LogisticRegression Fit(SparseFeatures features, int[] labels, int types, double c, LogisticRegressionSettings settings) =>
        FitPath(features, labels, types, [c], settings, settings.Threads)[0];

    /// <summary>Probabilities of a cell's types.</summary>
    /// <param name="features">The cells.</param>
    /// <param name="row">Which of them.</param>
    /// <param name="probabilities">[K], written.</param>
    public void Probabilities(SparseFeatures features, int row, Span<double> probabilities)
    {
        var logits = new double[stride];
        MultinomialObjective.Logits(weights, columns, features.Positions(row), features.Values(row), logits);
        logits.AsSpan(0, Types).CopyTo(probabilities);
        var (largest, sum) = (double.NegativeInfinity, 0.0);
        foreach (var logit in probabilities) largest = Math.Max(largest, logit);
        foreach (ref var value in probabilities) sum += value = Math.Exp(value - largest);
        foreach (ref var value in probabilities) value /= sum;
    }

    /// <summary>The most probable type of every cell; ties to the lower index.</summary>
    public int[] Predict(SparseFeatures features)
    {
        var (predicted, logits) = (new int[features.Rows], new double[stride]);
        for (var row = 0; row < features.Rows; row++)
        {
            MultinomialObjective.Logits(weights, columns, features.Positions(row), features.Values(row), logits);
            for (var k = 1; k < Types; k++)
            {
                if (logits[k] > logits[predicted[row]]) predicted[row] = k;
            }
        }
        return predicted;
    }

    /// <summary>Which fold tests each cell: within each type cells are dealt out in a seeded order, going round the folds from type to type.</summary>
    public static int[] StratifiedFolds(int[] labels, int types, int folds, ulong seed)
    {
        var (fold, dealt) = (new int[labels.Length], 0);
        for (var type = 0; type < types; type++)
        {
            int[] own = [.. Enumerable.Range(0, labels.Length).Where(cell => labels[cell] == type)];
            var draws = new RandomSequence(seed, RandomPurpose.Baseline, index: type);
            draws.Shuffle<int>(own);
            foreach (var cell in own) fold[cell] = dealt++ % folds;
        }
        return fold;
    }

    private static int Choose(SparseFeatures features, int[] labels, int types, LogisticRegressionSettings settings)
    {
        var fold = StratifiedFolds(labels, types, settings.Folds, settings.Seed);
        var accuracies = new double[settings.Folds, settings.Candidates.Count];
        Parallel.For(0, settings.Folds, new ParallelOptions { MaxDegreeOfParallelism = settings.Threads }, held =>
        {
            int[] training = [.. Enumerable.Range(0, labels.Length).Where(cell => fold[cell] != held)];
            int[] testing = [.. Enumerable.Range(0, labels.Length).Where(cell => fold[cell] == held)];
            if (training.Length == 0 || testing.Length == 0) return;
            var path = FitPath(features.Select(training), [.. training.Select(cell => labels[cell])], types, settings.Candidates, settings, threads: 1);
            var test = features.Select(testing);
            for (var c = 0; c < path.Length; c++) accuracies[held, c] = ClassificationMetrics.Accuracy<int>([.. testing.Select(cell => labels[cell])], path[c].Predict(test));
        });
        var best = 0;
        double Mean(int c) => Enumerable.Range(0, settings.Folds).Average(held => accuracies[held, c]);
        for (var c = 1; c < settings.Candidates.Count; c++)
        {
            // Means of the same accuracies in another order differ in the last bits and are the same mean.
            if (Mean(c) > Mean(best) + 1e-12) best = c;
        }
        return best;
    }

    private static LogisticRegression[] FitPath(SparseFeatures features, int[] labels, int types, IReadOnlyList<double> candidates, LogisticRegressionSettings settings, int threads)
    {
        var weights = new double[(features.Columns + 1) * MultinomialObjective.StrideOf(types)];
        var path = new LogisticRegression[candidates.Count];
        for (var i = 0; i < path.Length; i++)
        {
            var objective = new MultinomialObjective(features, labels, types, candidates[i], threads);
            var parameters = objective.Parameters(weights);
            var end = LimitedMemoryBfgs.Minimise(objective, parameters, settings.Tolerance, settings.Iterations);
            objective.Weights(parameters, weights);
            path[i] = new LogisticRegression([.. weights], features.Columns, types, candidates[i], end);
        }
        return path;
    }
}
