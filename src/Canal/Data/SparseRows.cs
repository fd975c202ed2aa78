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

    /// <summary>[Entries] gene columns of all cells, one after another.</summary>
    internal ReadOnlySpan<int> AllGenes => genes.AsSpan(0, Entries);

    /// <summary>[Entries] values of all cells, one after another.</summary>
    internal ReadOnlySpan<double> AllValues => values.AsSpan(0, Entries);

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

    /// <summary>Makes a block of this size, whose parts the caller fills; <see cref="IsSound"/> says whether they then fit each other.</summary>
    internal void Take(int cells, int entries, out Span<int> cellOffsets, out Span<int> cellGenes, out Span<double> cellValues)
    {
        if (cells + 1 > offsets.Length) offsets = new int[cells + 1];
        if (entries > genes.Length)
        {
            genes = new int[Math.Max(entries, Math.Min(genes.Length * 2L, Array.MaxLength))];
            values = new double[genes.Length];
        }
        Cells = cells;
        offsets[cells] = entries;
        cellOffsets = offsets.AsSpan(0, cells + 1);
        cellGenes = genes.AsSpan(0, entries);
        cellValues = values.AsSpan(0, entries);
    }

    /// <summary>Whether offsets ascend, and within each cell genes ascend and are below <paramref name="geneCount"/>, values are finite.</summary>
    internal bool IsSound(int geneCount)
    {
        if (offsets[0] != 0) return false;
        for (var cell = 0; cell < Cells; cell++)
        {
            if (offsets[cell + 1] < offsets[cell] || offsets[cell + 1] > genes.Length) return false;
            var previous = -1;
            foreach (var gene in Genes(cell))
            {
                if (gene <= previous) return false;
                previous = gene;
            }
            if (previous >= geneCount) return false;
            foreach (var value in Values(cell))
                if (!double.IsFinite(value)) return false;
        }
        return true;
    }
}
