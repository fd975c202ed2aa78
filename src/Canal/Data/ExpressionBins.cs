namespace Canal.Data;

/// <summary>The expression bins that are the model's tokens: min(floor(log2(1 + v)), 5) of the value v normalised to 10,000 (method.md section 1.6).</summary>
public static class ExpressionBins
{
    /// <summary>Counts a cell is normalised to.</summary>
    public const double NormalisedTotal = 1e4;

    /// <summary>The highest bin; everything from 2^5 - 1 upwards falls into it.</summary>
    public const byte Highest = 5;

    /// <summary>The token that hides a gene in pre-training.</summary>
    public const byte MaskToken = 6;

    /// <summary>Number of tokens: bins 0 to 5 and the mask.</summary>
    public const int TokenCount = 7;

    /// <summary>The token of an unexpressed gene, and the one appended after the last gene.</summary>
    public const byte Unexpressed = 0;

    /// <summary>
    /// Bin of a gene with <paramref name="count"/> counts in a cell with <paramref name="total"/> counts over the aligned genes. Decided without a
    /// logarithm: bin b or higher iff 10^4 count >= (2^b - 1) total in double arithmetic, so a value that is exactly 2^b - 1 is in bin b and one just
    /// below is not (a float32 logarithm rounds some of these up).
    /// </summary>
    public static byte Bin(double count, double total)
    {
        if (!(count > 0)) return Unexpressed;
        var scaled = NormalisedTotal * count;
        byte bin = 0;
        while (bin < Highest && scaled >= ((2 << bin) - 1) * total) bin++;
        return bin;
    }

    /// <summary>Normalised value of a count: 10^4 count / total, 0 in an empty cell.</summary>
    public static double Normalised(double count, double total) => total > 0 ? NormalisedTotal * count / total : 0;

    /// <summary>Log feature of a count: log2(1 + normalised value), what the bins are the whole part of.</summary>
    public static double LogFeature(double count, double total) => Math.Log2(1 + Normalised(count, total));
}
