using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>
/// What filters over the width see in the encoder's output of some cells: how it differs where a gene is expressed, and the mean and spread of
/// any filter's response. Sums in float64, in the order of the cells: the same bits on any number of threads. Long panels are looked at in
/// part, so that memory and time stay within what a step takes.
/// </summary>
internal sealed class FilterResponse
{
    private const int MostGenes = 4096, MostSpreadRows = 16_384, RowsPerRead = 1024;

    private readonly EncoderGeometry geometry;
    private readonly int genes, width, geneStride, spreadStride;
    private readonly int[] expressing;                                  // [genes looked at]: cells that express it
    private readonly double[] geneSums, expressedSum;                   // [genes looked at, C]; [C]
    private readonly double[] spreadSum, spreadProducts;                // [C]; [C, C], lower half
    private readonly ushort[] positions;
    private readonly byte[] bins;
    private readonly bool[] isExpressed;
    private readonly float[] rows;
    private long cellCount, rowCount, spreadRows;

    /// <summary>Takes its memory.</summary>
    /// <param name="geometry">The encoder's sizes.</param>
    /// <param name="cells">How many cells will be added.</param>
    public FilterResponse(EncoderGeometry geometry, int cells)
    {
        (this.geometry, genes, width) = (geometry, geometry.Positions - 1, geometry.Width);
        geneStride = (genes + MostGenes - 1) / MostGenes;
        var looked = (genes + geneStride - 1) / geneStride;
        spreadStride = (int)((((long)looked * cells) + MostSpreadRows - 1) / MostSpreadRows);
        (expressing, geneSums, expressedSum) = (new int[looked], new double[looked * width], new double[width]);
        (spreadSum, spreadProducts) = (new double[width], new double[width * width]);
        (positions, bins, isExpressed) = (new ushort[genes], new byte[genes], new bool[genes]);
        rows = new float[Math.Min(RowsPerRead, genes) * width];
    }

    /// <summary>Adds cells.</summary>
    /// <param name="device">Where their output lies.</param>
    /// <param name="y">[at least cells·T, C]: the encoder's output.</param>
    /// <param name="tokens">Tokens of the pool.</param>
    /// <param name="cells">The cells, in the order of the output.</param>
    public void Add(Device device, Tensor y, ICellTokens tokens, ReadOnlySpan<int> cells)
    {
        for (var i = 0; i < cells.Length; i++)
        {
            var count = tokens.EntryCount(cells[i]);
            tokens.CopyTo(cells[i], positions.AsSpan(0, count), bins.AsSpan(0, count));
            Array.Clear(isExpressed);
            foreach (var g in positions.AsSpan(0, count)) isExpressed[g] = true;
            for (var first = 0; first < genes; first += RowsPerRead)
            {
                var read = Math.Min(RowsPerRead, genes - first);
                device.Read<float>(rows.AsSpan(0, read * width), y.Slice((i * geometry.Positions) + first, read));
                for (var g = first; g < first + read; g++)
                {
                    if (g % geneStride == 0) AddRow(g, rows.AsSpan((g - first) * width, width));
                }
            }
        }
        cellCount += cells.Length;
    }

    private void AddRow(int gene, ReadOnlySpan<float> row)
    {
        var sum = geneSums.AsSpan(gene / geneStride * width, width);
        for (var c = 0; c < row.Length; c++) sum[c] += row[c];
        if (isExpressed[gene])
        {
            expressing[gene / geneStride]++;
            for (var c = 0; c < row.Length; c++) expressedSum[c] += row[c];
        }
        if (rowCount++ % spreadStride != 0) return;
        spreadRows++;
        for (var c = 0; c < row.Length; c++)
        {
            spreadSum[c] += row[c];
            var products = spreadProducts.AsSpan(c * width, c + 1);
            for (var d = 0; d < products.Length; d++) products[d] += (double)row[c] * row[d];
        }
    }

    /// <summary>
    /// A filter as long as the given one, along sum over expressed (cell, gene) of y[cell, gene] - mean over cells of y[gene]; the given one where that is
    /// zero, as where every gene is expressed everywhere or nowhere.
    /// </summary>
    public float[] TowardsExpression(float[] drawn)
    {
        var direction = (double[])expressedSum.Clone();
        for (var g = 0; g < expressing.Length; g++)
        {
            var share = (double)expressing[g] / cellCount;
            for (var c = 0; c < width; c++) direction[c] -= share * geneSums[(g * width) + c];
        }
        var length = Math.Sqrt(direction.Sum(v => v * v));
        // What rounding leaves of a zero is no direction.
        if (!(length > 1e-9 * Math.Sqrt(expressedSum.Sum(v => v * v)))) return drawn;
        var scale = Math.Sqrt(drawn.Sum(v => (double)v * v)) / length;
        return [.. direction.Select(v => (float)(scale * v))];
    }

    /// <summary>Mean and standard deviation of a filter's response over genes and cells, before bias and ReLU.</summary>
    public (double Mean, double Deviation) Of(ReadOnlySpan<float> filter)
    {
        var (mean, squares) = (0.0, 0.0);
        for (var c = 0; c < width; c++)
        {
            mean += filter[c] * spreadSum[c] / spreadRows;
            for (var d = 0; d < width; d++) squares += filter[c] * (double)filter[d] * spreadProducts[(Math.Max(c, d) * width) + Math.Min(c, d)] / spreadRows;
        }
        return (mean, Math.Sqrt(Math.Max(0, squares - (mean * mean))));
    }
}
