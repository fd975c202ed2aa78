using Canal.Engine.Operations;

namespace Canal.Data;

/// <summary>The expression bins that are the model's tokens: min(floor(log2(1 + v)), 5) of the value v normalised to 10,000 (method.md section 1.6).</summary>
public static class ExpressionBins
{
    /// <summary>Counts a cell is normalised to.</summary>
    public const double NormalisedTotal = BinRule.NormalisedTotal;

    /// <summary>The highest bin; everything from 2^5 - 1 upwards falls into it.</summary>
    public const byte Highest = BinRule.Highest;

    /// <summary>The token that hides a gene in pre-training.</summary>
    public const byte MaskToken = 6;

    /// <summary>Number of tokens: bins 0 to 5 and the mask.</summary>
    public const int TokenCount = 7;

    /// <summary>The token of an unexpressed gene, and the one appended after the last gene.</summary>
    public const byte Unexpressed = 0;

    /// <summary>
    /// Bin of a gene with <paramref name="count"/> counts in a cell with <paramref name="total"/> counts over the aligned genes, by <see cref="BinRule"/>.
    /// </summary>
    public static byte Bin(double count, double total) => BinRule.Bin(count, total);

    /// <summary>Normalised value of a count: 10^4 count / total, 0 in an empty cell.</summary>
    public static double Normalised(double count, double total) => total > 0 ? NormalisedTotal * count / total : 0;

    /// <summary>Log feature of a count: log2(1 + normalised value), what the bins are the whole part of.</summary>
    public static double LogFeature(double count, double total) => Math.Log2(1 + Normalised(count, total));
}
