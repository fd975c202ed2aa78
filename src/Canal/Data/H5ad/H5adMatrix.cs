namespace Canal.Data.H5ad;

/// <summary>What the stored forms of a matrix have in common: checking and tidying a row.</summary>
internal abstract class H5adMatrix : ExpressionMatrix, IDisposable
{
    /// <summary>A row may hold a gene more than once (the values are summed), but not without end.</summary>
    private const int MostDuplicates = 4;

    private readonly H5adFile file;
    private int[] rowGenes = new int[1024];
    private double[] rowValues = new double[1024];
    private int entries;
    private bool ascending;

    protected H5adMatrix(H5adFile file, string location)
    {
        this.file = file;
        Location = location;
    }

    public sealed override string Location { get; }

    /// <summary>Path of the file, for messages.</summary>
    protected string Path => file.Path;

    public sealed override void ReadCells(int first, int count, SparseRows block)
    {
        ArgumentNullException.ThrowIfNull(block);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, CellCount, nameof(count));
        block.Clear();
        H5adErrors.Reading(Path, () => Read(first, count, block));
    }

    public abstract void Dispose();

    /// <summary>Reads cells through <see cref="BeginRow"/>, <see cref="Add"/> and <see cref="EndRow"/>.</summary>
    protected abstract void Read(int first, int count, SparseRows block);

    /// <summary>Starts a row of at most <paramref name="stored"/> stored entries.</summary>
    protected void BeginRow(int row, long stored)
    {
        if (stored > (long)MostDuplicates * GeneCount)
            throw new UserException($"{Path}: {Location} stores {stored} entries for row {row} but has {GeneCount} genes; the file is damaged, fetch or write it again.");
        if (stored > rowGenes.Length)
        {
            rowGenes = new int[(int)Math.Max(stored, rowGenes.Length * 2L)];
            rowValues = new double[rowGenes.Length];
        }
        entries = 0;
        ascending = true;
    }

    /// <summary>Adds entries as stored.</summary>
    protected void Add(int row, ReadOnlySpan<long> genes, ReadOnlySpan<double> values)
    {
        var genesHere = GeneCount;
        var previous = entries == 0 ? -1 : rowGenes[entries - 1];
        for (var entry = 0; entry < genes.Length; entry++)
        {
            var gene = genes[entry];
            var value = values[entry];
            if (gene < 0 || gene >= genesHere) throw new UserException($"{Path}: {Location} refers to gene {gene} in row {row} but has {GeneCount} genes; the file is damaged, fetch or write it again.");
            if (!double.IsFinite(value)) throw NotFinite(row, (int)gene, value);
            if (value == 0) continue;
            if (gene <= previous) ascending = false;
            previous = (int)gene;
            rowGenes[entries] = (int)gene;
            rowValues[entries++] = value;
        }
    }

    /// <summary>Hands the row on: genes ascending and distinct.</summary>
    protected void EndRow(SparseRows block)
    {
        if (!ascending) SortAndSum();
        block.Append(rowGenes.AsSpan(0, entries), rowValues.AsSpan(0, entries));
    }

    private void SortAndSum()
    {
        Array.Sort(rowGenes, rowValues, 0, entries);
        var kept = 0;
        for (var entry = 0; entry < entries;)
        {
            var gene = rowGenes[entry];
            var sum = 0.0;
            for (; entry < entries && rowGenes[entry] == gene; entry++) sum += rowValues[entry];
            if (sum == 0) continue;
            rowGenes[kept] = gene;
            rowValues[kept++] = sum;
        }
        entries = kept;
    }

    private UserException NotFinite(int row, int gene, double value) =>
        new($"{Path}: {Location} holds {(double.IsNaN(value) ? "NaN" : "an infinite value")} for cell '{file.CellNames[row]}', gene '{file.GeneNames(Location)[gene]}'; replace it or choose another matrix.");
}
