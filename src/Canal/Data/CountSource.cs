using System.Globalization;

namespace Canal.Data;

/// <summary>What the values of a matrix are.</summary>
public enum ExpressionState
{
    /// <summary>Counts, whole or not (expected counts of RSEM, size-factor normalised values).</summary>
    Counts,

    /// <summary>Every cell sums to the same total (counts per 10,000, per million, ...).</summary>
    Normalised,

    /// <summary>log(1 + value) of normalised values or counts; the logarithm is undone.</summary>
    Logarithm,

    /// <summary>Centred values (some are negative): the counts cannot be had back.</summary>
    Scaled,
}

/// <summary>The matrix that was chosen and how its values become counts (method.md section 1.1).</summary>
/// <param name="Location">Where it lies: <c>layers/counts</c>, <c>raw/X</c>, <c>X</c>.</param>
/// <param name="State">What its values are.</param>
/// <param name="LogBase">Base of the logarithm where <paramref name="State"/> says one.</param>
/// <param name="WholeBeforeLogarithm">The logarithm was taken of whole counts: they are rounded back.</param>
/// <param name="Description">For printing: what it is and how that is known.</param>
/// <param name="Warnings">What the user should know.</param>
public sealed record CountSource(
    string Location, ExpressionState State, double LogBase, bool WholeBeforeLogarithm, string Description, IReadOnlyList<string> Warnings)
{
    /// <summary>Undoes the logarithm: the count (up to the cell's factor) that a stored value stands for.</summary>
    public double ToCount(double stored)
    {
        if (State != ExpressionState.Logarithm) return stored;
        var count = Math.Exp(stored * Math.Log(LogBase)) - 1;
        return WholeBeforeLogarithm ? Math.Round(count) : count;
    }

    /// <summary>A base in words: natural, 2, 10, 1.7.</summary>
    internal static string BaseName(double logBase) =>
        logBase == Math.E ? "natural" : "base " + logBase.ToString("0.####", CultureInfo.InvariantCulture);
}
