namespace Canal.Evaluation;

/// <summary>How well predictions agree with the truth over some cells.</summary>
/// <param name="Cells">Number of cells.</param>
/// <param name="Accuracy">Share named rightly; NaN without cells.</param>
/// <param name="MacroF1">Mean F1 over the types present among the true labels, 0 for a type never named; NaN without cells.</param>
/// <param name="AdjustedRandIndex">Of predicted against true types (Hubert and Arabie, 1985); NaN without cells.</param>
public sealed record ClassificationScores(int Cells, double Accuracy, double MacroF1, double AdjustedRandIndex);

/// <summary>Measures of classification as baselines are measured (method.md section 5), in float64.</summary>
public static class ClassificationMetrics
{
    /// <summary>All of them at once.</summary>
    public static ClassificationScores Of<T>(IReadOnlyList<T> truth, IReadOnlyList<T> predicted) where T : notnull =>
        new(truth.Count, Accuracy(truth, predicted), MacroF1(truth, predicted), AdjustedRandIndex(truth, predicted));

    /// <summary>Share of cells named rightly; NaN without cells.</summary>
    public static double Accuracy<T>(IReadOnlyList<T> truth, IReadOnlyList<T> predicted) where T : notnull
    {
        var right = Pairs(truth, predicted).Count(pair => pair.Truth.Equals(pair.Predicted));
        return truth.Count == 0 ? double.NaN : (double)right / truth.Count;
    }

    /// <summary>Mean over the types present among the true labels of 2 TP / (2 TP + FP + FN); NaN without cells.</summary>
    public static double MacroF1<T>(IReadOnlyList<T> truth, IReadOnlyList<T> predicted) where T : notnull
    {
        if (truth.Count == 0) return double.NaN;
        var (present, named, right) = (new Dictionary<T, int>(), new Dictionary<T, int>(), new Dictionary<T, int>());
        foreach (var (type, said) in Pairs(truth, predicted))
        {
            present[type] = present.GetValueOrDefault(type) + 1;
            named[said] = named.GetValueOrDefault(said) + 1;
            if (type.Equals(said)) right[type] = right.GetValueOrDefault(type) + 1;
        }
        return present.Average(type => 2.0 * right.GetValueOrDefault(type.Key) / (type.Value + named.GetValueOrDefault(type.Key)));
    }

    /// <summary>Agreement of two groupings, 0 by chance and 1 where they are the same; NaN without cells.</summary>
    public static double AdjustedRandIndex<T>(IReadOnlyList<T> truth, IReadOnlyList<T> predicted) where T : notnull
    {
        if (truth.Count == 0) return double.NaN;
        var pairs = Pairs(truth, predicted).ToArray();
        var together = pairs.GroupBy(pair => (pair.Truth, pair.Predicted)).Sum(group => Choose2(group.Count()));
        var inTruth = truth.GroupBy(type => type).Sum(group => Choose2(group.Count()));
        var inPredicted = predicted.GroupBy(type => type).Sum(group => Choose2(group.Count()));
        var expected = Choose2(truth.Count) == 0 ? 0 : inTruth * inPredicted / Choose2(truth.Count);
        var largest = (inTruth + inPredicted) / 2;
        return largest == expected ? 1 : (together - expected) / (largest - expected);
    }

    private static double Choose2(double count) => count * (count - 1) / 2;

    private static IEnumerable<(T Truth, T Predicted)> Pairs<T>(IReadOnlyList<T> truth, IReadOnlyList<T> predicted) => truth.Count == predicted.Count
        ? truth.Zip(predicted)
        : throw new ArgumentException($"{truth.Count} true labels and {predicted.Count} predictions.", nameof(predicted));
}
