using System.Numerics;

namespace Canal.Engine.Operations;

/// <summary>
/// The one rule by which counts become expression bins, min(floor(log2(1 + v)), 5) of the value v normalised to 10,000, on every device
/// and to the last bit.
/// </summary>
public static class BinRule
{
    /// <summary>Counts a cell is normalised to.</summary>
    public const double NormalisedTotal = 1e4;

    /// <summary>The highest bin; everything from 2^5 - 1 upwards falls into it.</summary>
    public const byte Highest = 5;

    // Partial sums of a total: the threads of a block in bin_counts.cu, in warps of 32.
    private const int Lanes = 256;
    private const int Warp = 32;

    /// <summary>
    /// Bin of a gene with <paramref name="count"/> counts in a cell with <paramref name="total"/> counts over the aligned genes. Decided without a
    /// logarithm: bin b or higher iff 10^4 count >= (2^b - 1) total in double arithmetic, so a value that is exactly 2^b - 1 is in bin b and one just
    /// below is not (a float32 logarithm rounds some of these up).
    /// </summary>
    public static byte Bin(double count, double total)
    {
        if (!(count > 0)) return 0;
        var scaled = NormalisedTotal * count;
        byte bin = 0;
        while (bin < Highest && scaled >= ((2 << bin) - 1) * total) bin++;
        return bin;
    }

    /// <summary>
    /// The total of a cell's counts in float64, in an order that a GPU can keep too: entry i to partial sum i mod 256, in each warp of 32 partial sums
    /// the distances 16, 8, 4, 2, 1, then the eight warps in order. Whole counts are exact in any order.
    /// </summary>
    public static double Total<T>(ReadOnlySpan<T> counts) where T : unmanaged, INumberBase<T>
    {
        Span<double> sums = stackalloc double[Lanes];
        sums.Clear();
        for (var first = 0; first < counts.Length; first += Lanes)
        {
            var row = counts[first..Math.Min(first + Lanes, counts.Length)];
            for (var i = 0; i < row.Length; i++) sums[i] += double.CreateTruncating(row[i]);
        }
        var total = 0.0;
        for (var warp = 0; warp < Lanes; warp += Warp)
        {
            for (var distance = Warp / 2; distance > 0; distance /= 2)
            {
                for (var i = warp; i < warp + distance; i++) sums[i] += sums[i + distance];
            }
            total += sums[warp];
        }
        return total;
    }
}
