using Canal.Engine.Random;

namespace Canal.Data;

/// <summary>
/// Masking for pre-training (scBERT; method.md section 7): of a cell's c expressed genes ceil(3c/20) are chosen; nine in ten of those become the mask
/// token, the others keep their value. All numbers are functions of seed, epoch and cell.
/// </summary>
public static class ExpressionMasking
{
    /// <summary>Label of a position that is not predicted; outside the range of classes, so cross-entropy leaves it out.</summary>
    public const int Ignored = -1;

    private const double MaskedShare = 0.9;

    /// <summary>Number of chosen genes of a cell with this many expressed genes: ceil(0.15 c), exactly.</summary>
    public static int Quota(int expressed) => (3 * expressed + 19) / 20;

    /// <summary>Masks one cell with random numbers of (seed, epoch, cell).</summary>
    /// <param name="positions">Positions of the expressed genes.</param>
    /// <param name="bins">Their bins; the chosen ones are replaced in place.</param>
    /// <param name="labels">Dense labels of the cell: the true bin where chosen, <see cref="Ignored"/> elsewhere; all written.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="epoch">Epoch: each masks anew.</param>
    /// <param name="cell">Index of the cell in the data that is trained on.</param>
    public static void Mask(ReadOnlySpan<ushort> positions, Span<byte> bins, Span<int> labels, ulong seed, int epoch, long cell)
    {
        var random = new RandomSequence(seed, RandomPurpose.Masking, 0, epoch, cell);
        Span<double> rank = bins.Length <= 2048 ? stackalloc double[bins.Length] : new double[bins.Length];
        Span<double> replace = bins.Length <= 2048 ? stackalloc double[bins.Length] : new double[bins.Length];
        for (var i = 0; i < bins.Length; i++) (rank[i], replace[i]) = (random.NextDouble(), random.NextDouble());
        Mask(positions, bins, labels, rank, replace);
    }

    /// <summary>Masks one cell with given numbers in [0, 1): the genes with the largest <paramref name="rank"/> are chosen (ties: the earlier gene), and hidden where <paramref name="replace"/> is below 0.9.</summary>
    public static void Mask(ReadOnlySpan<ushort> positions, Span<byte> bins, Span<int> labels, ReadOnlySpan<double> rank, ReadOnlySpan<double> replace)
    {
        labels.Fill(Ignored);
        Span<int> order = bins.Length <= 2048 ? stackalloc int[bins.Length] : new int[bins.Length];
        Span<double> keys = bins.Length <= 2048 ? stackalloc double[bins.Length] : new double[bins.Length];
        for (var i = 0; i < order.Length; i++) (order[i], keys[i]) = (i, -rank[i]);
        keys.Sort(order);
        var quota = Quota(bins.Length);
        SettleTies(keys, order, quota);
        for (var i = 0; i < quota; i++)
        {
            var chosen = order[i];
            labels[positions[chosen]] = bins[chosen];
            if (replace[chosen] < MaskedShare) bins[chosen] = ExpressionBins.MaskToken;
        }
    }

    // The sort is not stable: within the run of equal numbers that the quota cuts, the earlier genes come first.
    private static void SettleTies(ReadOnlySpan<double> keys, Span<int> order, int quota)
    {
        if (quota == 0 || quota == keys.Length || keys[quota] != keys[quota - 1]) return;
        var (first, end) = (quota - 1, quota + 1);
        while (first > 0 && keys[first - 1] == keys[quota]) first--;
        while (end < keys.Length && keys[end] == keys[quota]) end++;
        order[first..end].Sort();
    }
}
