namespace Canal.Evaluation;

/// <summary>Scores of one test set after one stage.</summary>
/// <param name="Scores">Over the cells whose type some stage has taught by then.</param>
/// <param name="LeftOut">Cells of types that no stage has taught yet: counted apart, they are what novelty is scored on.</param>
public sealed record StreamTestScores(ClassificationScores Scores, int LeftOut);

/// <summary>Scores a test set of a stream as design.md ("Formats") says.</summary>
public static class StreamScoring
{
    /// <summary>Scores predictions.</summary>
    /// <param name="truth">True type of each cell.</param>
    /// <param name="predicted">Name given to it.</param>
    /// <param name="taught">Types that have training cells in the stages so far.</param>
    /// <param name="merge">Types to be counted as another, in truth and prediction; null for none.</param>
    public static StreamTestScores Score(IReadOnlyList<string> truth, IReadOnlyList<string> predicted, IReadOnlySet<string> taught, IReadOnlyDictionary<string, string>? merge = null)
    {
        int[] counted = [.. Enumerable.Range(0, truth.Count).Where(cell => taught.Contains(truth[cell]))];
        string Merged(string type) => merge?.GetValueOrDefault(type) ?? type;
        return new StreamTestScores(
            ClassificationMetrics.Of<string>([.. counted.Select(cell => Merged(truth[cell]))], [.. counted.Select(cell => Merged(predicted[cell]))]),
            truth.Count - counted.Length);
    }
}
