using Canal.Engine.Operations;

namespace Canal.Data;

/// <summary>Sparse tokens and log features of one cell on a gene panel.</summary>
public static class CellTokens
{
    /// <summary>Bins the expressed panel genes of a cell.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="places">Vocabulary places of the cell's genes, ascending.</param>
    /// <param name="counts">Their counts; the total is taken over all of them, not over the panel.</param>
    /// <param name="positions">Panel positions of genes with a bin above 0, ascending; as long as the panel.</param>
    /// <param name="bins">Their bins.</param>
    /// <param name="expressed">Set true for panel genes with any count.</param>
    /// <returns>Number of tokens written; the others are 0.</returns>
    public static int Fill(GenePanel panel, ReadOnlySpan<int> places, ReadOnlySpan<double> counts, Span<ushort> positions, Span<byte> bins, Span<bool> expressed)
    {
        ArgumentNullException.ThrowIfNull(panel);
        var (total, n) = (BinRule.Total(counts), 0);
        for (var i = 0; i < places.Length; i++)
        {
            var position = panel.PositionOf(places[i]);
            if (position < 0) continue;
            if (counts[i] > 0) expressed[position] = true;
            var bin = ExpressionBins.Bin(counts[i], total);
            if (bin == ExpressionBins.Unexpressed) continue;
            (positions[n], bins[n]) = ((ushort)position, bin);
            n++;
        }
        return n;
    }

    /// <summary>Log features log2(1 + v) of the expressed panel genes of a cell; see <see cref="Fill"/>.</summary>
    public static int FillLogFeatures(GenePanel panel, ReadOnlySpan<int> places, ReadOnlySpan<double> counts, Span<ushort> positions, Span<float> values)
    {
        ArgumentNullException.ThrowIfNull(panel);
        var (total, n) = (BinRule.Total(counts), 0);
        for (var i = 0; i < places.Length; i++)
        {
            var position = panel.PositionOf(places[i]);
            if (position < 0 || counts[i] == 0) continue;
            (positions[n], values[n]) = ((ushort)position, (float)ExpressionBins.LogFeature(counts[i], total));
            n++;
        }
        return n;
    }
}
