namespace Canal.Evaluation;

/// <summary>A test set of a stream.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Stage">The stage whose cells it holds out, from 1; null where it belongs to none.</param>
public sealed record StreamTest(string Name, int? Stage);

/// <summary>What an accuracy matrix says in one number each; null where the matrix does not tell.</summary>
/// <param name="AverageAccuracy">AA: mean over j of a[N, j].</param>
/// <param name="AverageIncrementalAccuracy">AIA: mean over i of the mean over j up to i of a[i, j].</param>
/// <param name="Forgetting">F: mean over j below N of the largest a[i, j] before the last stage, less a[N, j].</param>
/// <param name="BackwardTransfer">BWT: mean over j below N of a[N, j] - a[j, j].</param>
/// <param name="LearningAccuracy">Mean over j of a[j, j].</param>
public sealed record StreamSummary(double? AverageAccuracy, double? AverageIncrementalAccuracy, double? Forgetting, double? BackwardTransfer, double? LearningAccuracy);

/// <summary>
/// One measure over a stream: a[i, j] after stage i on test set j. Derived numbers look at the tests that belong to stages 1 to N only (a
/// stage with several tests counts with their mean); forward transfer to types not yet taught does not exist here.
/// </summary>
public sealed class AccuracyMatrix
{
    private readonly double?[] values;

    /// <summary>An empty matrix.</summary>
    /// <param name="stages">Names of the stages, in order.</param>
    /// <param name="tests">The test sets.</param>
    public AccuracyMatrix(IReadOnlyList<string> stages, IReadOnlyList<StreamTest> tests)
    {
        (Stages, Tests) = (stages, tests);
        values = new double?[stages.Count * tests.Count];
    }

    /// <summary>Names of the stages, in order.</summary>
    public IReadOnlyList<string> Stages { get; }

    /// <summary>The test sets.</summary>
    public IReadOnlyList<StreamTest> Tests { get; }

    /// <summary>The measure after a stage (from 1) on a test set (from 0); null where it was not taken. NaN is kept as null.</summary>
    public double? this[int stage, int test]
    {
        get => values[((stage - 1) * Tests.Count) + test];
        set => values[((stage - 1) * Tests.Count) + test] = value is { } number && double.IsFinite(number) ? number : null;
    }

    /// <summary>a[i, j] for stages: after stage i on the tests of stage j, both from 1.</summary>
    public double? OfStage(int after, int stage)
    {
        var own = Enumerable.Range(0, Tests.Count).Where(test => Tests[test].Stage == stage).Select(test => this[after, test]).ToArray();
        return own.Length == 0 || own.Contains(null) ? null : own.Average();
    }

    /// <summary>The derived numbers.</summary>
    public StreamSummary Summarise()
    {
        var last = Stages.Count;
        var all = Enumerable.Range(1, last).ToArray();
        var earlier = all[..Math.Max(0, last - 1)];
        return new StreamSummary(
            Mean(all.Select(j => OfStage(last, j))),
            Mean(all.Select(i => Mean(Enumerable.Range(1, i).Select(j => OfStage(i, j))))),
            Mean(earlier.Select(j => Largest(Enumerable.Range(j, last - j).Select(i => OfStage(i, j))) - OfStage(last, j))),
            Mean(earlier.Select(j => OfStage(last, j) - OfStage(j, j))),
            Mean(all.Select(j => OfStage(j, j))));
    }

    /// <summary>The mean of matrices of the same stream, place by place; null where any is.</summary>
    public static AccuracyMatrix Mean(IReadOnlyList<AccuracyMatrix> matrices)
    {
        var mean = new AccuracyMatrix(matrices[0].Stages, matrices[0].Tests);
        for (var i = 0; i < mean.values.Length; i++) mean.values[i] = Mean(matrices.Select(matrix => matrix.values[i]));
        return mean;
    }

    private static double? Mean(IEnumerable<double?> numbers)
    {
        var all = numbers.ToArray();
        return all.Length == 0 || all.Contains(null) ? null : all.Average();
    }

    private static double? Largest(IEnumerable<double?> numbers)
    {
        var all = numbers.ToArray();
        return all.Contains(null) ? null : all.Max();
    }
}
