using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;
using static System.FormattableString;

namespace Canal.Benchmarks;

/// <summary>What the cells say of whether a precision keeps enough labels.</summary>
public enum LabelVerdict
{
    /// <summary>Even the bound keeps within what may change.</summary>
    Reached,

    /// <summary>As few labels change as may, but the cells are too few to tell that of all.</summary>
    NotShown,

    /// <summary>More labels of these cells change than may.</summary>
    Missed,
}

/// <summary>The labels of a precision against those of float32: what is needed and what the cells show.</summary>
/// <param name="Needed">Share of the cells that must keep their label, 0 to 1.</param>
/// <param name="Cells">Cells that were labelled.</param>
/// <param name="Others">Cells that got another label.</param>
public sealed record LabelAgreement(double Needed, int Cells, int Others)
{
    /// <summary>Confidence of <see cref="MostOthers"/>.</summary>
    public const double Confidence = 0.95;

    /// <summary>
    /// Upper bound of the share of such cells that get another label: the share at which so few of as many cells would have a chance of 1 - <see cref="Confidence"/>
    /// (Clopper and Pearson 1934, one-sided; without another label about 3 / cells, the rule of three).
    /// </summary>
    public double MostOthers { get; } = UpperBound(Cells, Others);

    /// <summary>Cells without another label that would show what is needed.</summary>
    public int CellsToShow { get; } = (int)Math.Ceiling(Math.Log(1 - Confidence) / Math.Log(Needed));

    /// <summary>What follows.</summary>
    public LabelVerdict Verdict => MostOthers <= 1 - Needed ? LabelVerdict.Reached : Others > (1 - Needed) * Cells ? LabelVerdict.Missed : LabelVerdict.NotShown;

    /// <summary>One line for people.</summary>
    public override string ToString() => Invariant($"{Others:N0} of {Cells:N0} cells with another label than in fp32: at most {100 * MostOthers:F3} % of such cells ({100 * Confidence:F0} % confidence), {100 * (1 - Needed):F1} % may: ") + Verdict switch
    {
        LabelVerdict.Reached => "reached",
        LabelVerdict.Missed => "missed",
        _ => Invariant($"not shown, which takes {CellsToShow:N0} cells without another label"),
    };

    /// <summary>Share of the cells that must keep their label of float32 in a precision; null for float32 itself.</summary>
    public static double? NeededFor(CudaPrecision precision)
    {
        ArgumentNullException.ThrowIfNull(precision);
        return precision.Forward != DType.Float32 ? 0.995 : precision.Tf32 ? 0.999 : null;
    }

    private static double UpperBound(int cells, int others)
    {
        if (others >= cells) return 1;
        var (low, high) = ((double)others / cells, 1.0);
        // Each turn halves the interval: what is left is less than a double tells apart.
        for (var turn = 0; turn < 60; turn++)
        {
            var middle = (low + high) / 2;
            if (AtMost(cells, others, middle) > 1 - Confidence) low = middle;
            else high = middle;
        }
        return high;
    }

    // P(X <= others) of the binomial distribution; the terms' logarithms, as the terms themselves may be below the smallest double.
    private static double AtMost(int cells, int others, double share)
    {
        var (term, largest, sum) = (cells * Math.Log(1 - share), double.NegativeInfinity, 0.0);
        for (var i = 0; i <= others; i++)
        {
            if (i > 0) term += Math.Log((double)(cells - i + 1) / i) + Math.Log(share / (1 - share));
            (largest, sum) = term > largest ? (term, (sum * Math.Exp(largest - term)) + 1) : (largest, sum + Math.Exp(term - largest));
        }
        return sum * Math.Exp(largest);
    }
}
