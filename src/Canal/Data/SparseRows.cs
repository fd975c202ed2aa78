namespace Canal.Data;

/// <summary>A block of cells in compressed sparse row form, reused from block to block so that reading allocates nothing once warm.</summary>
/// <remarks>Within a row, genes are ascending and distinct (duplicates in the file were summed); stored zeros were dropped.</remarks>
public sealed class SparseRows
{
    private int[] offsets = [0];
    private int[] genes = [];
    private double[] values = [];

    /// <summary>Number of cells in the block.</summary>
    public int Cells { get; private set; }

    /// <summary>Number of stored entries.</summary>
    public int Entries => offsets[Cells];

    /// <summary>[Cells + 1]: where each cell's entries start.</summary>
    public ReadOnlySpan<int> Offsets => offsets.AsSpan(0, Cells + 1);

    /// <summary>Gene columns of cell <paramref name="cell"/> (0-based within the block), ascending.</summary>
    public ReadOnlySpan<int> Genes(int cell) => genes.AsSpan(offsets[cell], offsets[cell + 1] - offsets[cell]);

    /// <summary>Values of cell <paramref name="cell"/>, in the unit of the source.</summary>
    public ReadOnlySpan<double> Values(int cell) => values.AsSpan(offsets[cell], offsets[cell + 1] - offsets[cell]);

    /// <summary>Values of cell <paramref name="cell"/>, to be changed in place (undoing a logarithm).</summary>
    public Span<double> MutableValues(int cell) => values.AsSpan(offsets[cell], offsets[cell + 1] - offsets[cell]);

    /// <summary>Empties the block.</summary>
    public void Clear() => Cells = 0;

    /// <summary>Appends one cell. Genes must be ascending and distinct.</summary>
    public void Append(ReadOnlySpan<int> cellGenes, ReadOnlySpan<double> cellValues)
    {
        if (cellGenes.Length != cellValues.Length) throw new ArgumentException("A cell needs as many values as genes.", nameof(cellValues));
        var start = offsets[Cells];
        var end = start + cellGenes.Length;
        if (Cells + 2 > offsets.Length) Array.Resize(ref offsets, Math.Max(Cells + 2, offsets.Length * 2));
        if (end > genes.Length)
        {
            Array.Resize(ref genes, Math.Max(end, genes.Length * 2));
            Array.Resize(ref values, genes.Length);
        }
        cellGenes.CopyTo(genes.AsSpan(start));
        cellValues.CopyTo(values.AsSpan(start));
        offsets[++Cells] = end;
    }
}
