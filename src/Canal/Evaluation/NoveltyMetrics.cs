namespace Canal.Evaluation;

/// <summary>How well known cells are named and novel ones refused.</summary>
/// <param name="KnownAccuracy">Share of cells of known types that got their right name; NaN without any.</param>
/// <param name="NovelAccuracy">Share of cells of other types that were left unassigned; NaN without any.</param>
/// <param name="Accuracy">Both together.</param>
/// <param name="HScore">Harmonic mean of the first two, 0 where both are 0; NaN where either is.</param>
public sealed record OpenSetScores(double KnownAccuracy, double NovelAccuracy, double Accuracy, double HScore);

/// <summary>Measures of novelty detection and calibration (method.md section 5), in float64.</summary>
public static class NoveltyMetrics
{
    /// <summary>Open-set accuracy: a cell of no known type is right when it is unassigned.</summary>
    /// <param name="truth">True type of each cell.</param>
    /// <param name="predicted">Name given to it.</param>
    /// <param name="known">The types the model knows.</param>
    /// <param name="unassigned">The name of cells left unassigned.</param>
    public static OpenSetScores OpenSet(IReadOnlyList<string> truth, IReadOnlyList<string> predicted, IReadOnlySet<string> known, string unassigned)
    {
        int knownCells = 0, novelCells = 0, knownRight = 0, novelRight = 0;
        for (var cell = 0; cell < truth.Count; cell++)
        {
            if (known.Contains(truth[cell]))
            {
                knownCells++;
                if (predicted[cell] == truth[cell]) knownRight++;
            }
            else
            {
                novelCells++;
                if (predicted[cell] == unassigned) novelRight++;
            }
        }
        var (ofKnown, ofNovel) = ((double)knownRight / knownCells, (double)novelRight / novelCells);
        return new OpenSetScores(ofKnown, ofNovel, (double)(knownRight + novelRight) / truth.Count, Harmonic(ofKnown, ofNovel));
    }

    /// <summary>2 a b / (a + b), 0 where both are 0.</summary>
    public static double Harmonic(double a, double b) => a + b == 0 ? 0 : 2 * a * b / (a + b);

    /// <summary>The chance that a novel cell scores higher than a known one, ties counting half; NaN where either is missing.</summary>
    public static double Auroc(IReadOnlyList<double> known, IReadOnlyList<double> novel)
    {
        if (known.Count == 0 || novel.Count == 0) return double.NaN;
        var sorted = known.Order().ToArray();
        var sum = 0.0;
        foreach (var score in novel) sum += (Below(sorted, score) + Below(sorted, Math.BitIncrement(score))) / 2.0;
        return sum / ((double)known.Count * novel.Count);
    }

    /// <summary>Share of known cells flagged at the strictest threshold that flags at least a share of the novel cells (score at or above it); NaN where either is missing.</summary>
    public static double FalsePositiveRate(IReadOnlyList<double> known, IReadOnlyList<double> novel, double truePositiveRate = 0.95)
    {
        if (known.Count == 0 || novel.Count == 0) return double.NaN;
        var needed = Math.Clamp((int)Math.Ceiling((truePositiveRate * novel.Count) - 1e-9), 1, novel.Count);
        var threshold = novel.OrderDescending().ElementAt(needed - 1);
        return (double)known.Count(score => score >= threshold) / known.Count;
    }

    /// <summary>Expected calibration error: mean over bins of equal width, weighted by cells, of |accuracy - mean confidence| (Guo et al., ICML 2017); NaN without cells.</summary>
    public static double CalibrationError(IReadOnlyList<double> confidences, IReadOnlyList<bool> right, int bins = 15)
    {
        var (cells, sums, hits) = (new int[bins], new double[bins], new int[bins]);
        for (var cell = 0; cell < confidences.Count; cell++)
        {
            // Bins are closed above: (0, 1/15], (1/15, 2/15], ...
            var bin = Math.Clamp((int)Math.Ceiling(confidences[cell] * bins) - 1, 0, bins - 1);
            cells[bin]++;
            sums[bin] += confidences[cell];
            if (right[cell]) hits[bin]++;
        }
        return Enumerable.Range(0, bins).Sum(bin => Math.Abs(hits[bin] - sums[bin])) / confidences.Count;
    }

    private static int Below(double[] sorted, double score)
    {
        var (low, high) = (0, sorted.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (sorted[middle] < score) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
