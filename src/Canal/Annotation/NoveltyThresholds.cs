namespace Canal.Annotation;

/// <summary>
/// From a raw novelty score to the one written: a threshold a predicted type, and a logistic that puts it at 0.5 without clipping, so that
/// cells can be ranked on either side of the verdict (method.md section 5).
/// </summary>
/// <param name="Types">[K]: threshold of each type.</param>
/// <param name="Scale">How much score makes one unit of the logistic; positive.</param>
public sealed record NoveltyThresholds(double[] Types, double Scale)
{
    // A type's own quantile counts as much as this many cells' worth of the global one.
    private const double GlobalCells = 50;

    // A model that is sure of every cell must not turn the logistic into a step: 1 - logistic(36) is 0 in float64.
    private const double SmallestScale = 0.05;

    /// <summary>Thresholds t_k = (n_k q_k + 50 q) / (n_k + 50) from the scores of known cells.</summary>
    /// <param name="types">K.</param>
    /// <param name="predicted">The type that each cell was named; true or not.</param>
    /// <param name="scores">Raw score of each cell; at least one.</param>
    /// <param name="acceptanceRate">Of the known cells, the share to accept: the quantile.</param>
    public static NoveltyThresholds Fit(int types, IReadOnlyList<int> predicted, IReadOnlyList<double> scores, double acceptanceRate)
    {
        var global = Quantile([.. scores], acceptanceRate);
        var thresholds = new double[types];
        for (var type = 0; type < types; type++)
        {
            var own = scores.Where((_, cell) => predicted[cell] == type).ToArray();
            thresholds[type] = own.Length == 0 ? global : ((own.Length * Quantile(own, acceptanceRate)) + (GlobalCells * global)) / (own.Length + GlobalCells);
        }
        var mean = scores.Average();
        return new NoveltyThresholds(thresholds, Math.Max(SmallestScale, Math.Sqrt(scores.Average(score => (score - mean) * (score - mean)))));
    }

    /// <summary>The score that is written: above 0.5 is novel.</summary>
    public double Written(double score, int type) => 1 / (1 + Math.Exp((Types[type] - score) / Scale));

    /// <summary>A quantile by linear interpolation between order statistics (NumPy's default).</summary>
    public static double Quantile(double[] values, double share)
    {
        Array.Sort(values);
        var place = share * (values.Length - 1);
        var below = Math.Min((int)place, values.Length - 1);
        var above = Math.Min(below + 1, values.Length - 1);
        return values[below] + ((place - below) * (values[above] - values[below]));
    }
}
