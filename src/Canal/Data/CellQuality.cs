namespace Canal.Data;

/// <summary>Judges cells by their number of expressed genes, before alignment (method.md section 1.2).</summary>
/// <param name="FewestGenes">A cell with fewer expressed genes is of low quality; 0 where cells are not judged.</param>
/// <param name="MedianGenes">Median of the file, where it was taken.</param>
public sealed record CellQuality(double FewestGenes, double? MedianGenes)
{
    /// <summary>Share of the file's median below which a cell is of low quality.</summary>
    public const double ShareOfMedian = 0.2;

    // A block of cells that expressed every gene would hold so many entries, 12 bytes each.
    private const int MostBlockEntries = 1 << 19;
    private const int MostBlockCells = 256;

    /// <summary>Whether a cell with this many expressed genes is of low quality.</summary>
    public bool IsLow(int expressedGenes) => expressedGenes < FewestGenes;

    /// <summary>A fixed number (<c>--min-genes</c>; 0 turns judging off), or, where null, a fifth of the file's median, for which all cells are read once.</summary>
    public static CellQuality Of(CountReader reader, int? fewestGenes, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        if (fewestGenes is { } given)
        {
            return given < 0 ? throw new UserException($"--min-genes {given}: give 0 or more.") : new CellQuality(given, null);
        }
        var expressed = new int[reader.CellCount];
        var (block, cells) = (new SparseRows(), BlockCells(reader.GeneCount));
        for (var first = 0; first < expressed.Length; first += cells)
        {
            cancel.ThrowIfCancellationRequested();
            reader.ReadCells(first, Math.Min(cells, expressed.Length - first), block);
            var next = first + block.Cells;
            if (next < expressed.Length) reader.Expect(next, Math.Min(cells, expressed.Length - next));
            for (var cell = 0; cell < block.Cells; cell++) expressed[first + cell] = ExpressedGenes(block, cell);
        }
        return FromMedian(expressed);
    }

    /// <summary>A fifth of the median of these numbers of expressed genes.</summary>
    public static CellQuality FromMedian(int[] expressedGenes)
    {
        ArgumentNullException.ThrowIfNull(expressedGenes);
        if (expressedGenes.Length == 0) return new CellQuality(0, null);
        var sorted = (int[])expressedGenes.Clone();
        Array.Sort(sorted);
        var median = (sorted[(sorted.Length - 1) / 2] + (double)sorted[sorted.Length / 2]) / 2;
        return new CellQuality(ShareOfMedian * median, median);
    }

    /// <summary>Number of cells read at a time: fewer of a file with many genes, so that a block's memory is bounded whatever the cells express.</summary>
    internal static int BlockCells(int genes) => Math.Clamp(MostBlockEntries / Math.Max(1, genes), 1, MostBlockCells);

    /// <summary>Number of genes with a count in a cell of a block.</summary>
    public static int ExpressedGenes(SparseRows block, int cell)
    {
        ArgumentNullException.ThrowIfNull(block);
        var expressed = 0;
        foreach (var value in block.Values(cell))
        {
            if (value > 0) expressed++;
        }
        return expressed;
    }
}
