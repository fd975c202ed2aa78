using System.Runtime.InteropServices;

namespace Canal.Data.H5ad;

/// <summary>
/// A matrix stored by genes, compressed. At the first reading it is turned round once: entries are dealt into buckets of
/// consecutive cells in a scratch file; a bucket fits in memory and is put in order when its cells are read.
/// </summary>
/// <remarks>Memory: one bucket twice, the dealing buffers and four bytes a cell; scratch space: 16 bytes an entry.</remarks>
internal sealed class H5adCscMatrix(H5adFile file, string location, H5adSparseParts parts, string scratchFolder) : H5adMatrix(file, location)
{
    private const int BucketEntries = 1 << 21;
    private const int BufferedEntries = 1 << 21;
    private ScratchBuckets? buckets;

    public override int CellCount => parts.Minor;

    public override int GeneCount => parts.Major;

    public override void Dispose()
    {
        parts.Dispose();
        buckets?.Dispose();
    }

    protected override void Read(int first, int count, SparseRows block)
    {
        buckets ??= TurnRound();
        Span<long> genes = stackalloc long[256];
        for (var row = first; row < first + count; row++)
        {
            buckets.ReadCell(row, out var cellGenes, out var values);
            BeginRow(row, cellGenes.Length);
            for (var start = 0; start < cellGenes.Length; start += genes.Length)
            {
                var part = genes[..Math.Min(genes.Length, cellGenes.Length - start)];
                for (var entry = 0; entry < part.Length; entry++) part[entry] = cellGenes[start + entry];
                Add(row, part, values.Slice(start, part.Length));
            }
            EndRow(block);
        }
    }

    private ScratchBuckets TurnRound()
    {
        var counts = new int[CellCount];
        for (long start = 0; start < parts.Entries;)
        {
            parts.Window(start, parts.Entries, out var cells, out _);
            foreach (var cell in cells) counts[RequireCell(cell)]++;
            start += cells.Length;
        }
        var result = new ScratchBuckets(scratchFolder, counts, BucketEntries, BufferedEntries);
        try
        {
            Deal(result);
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    private void Deal(ScratchBuckets into)
    {
        const int genesAtATime = 4096;
        var pointers = new long[genesAtATime + 1];
        for (var first = 0; first < GeneCount; first += genesAtATime)
        {
            var genes = Math.Min(genesAtATime, GeneCount - first);
            parts.ReadPointers(first, pointers.AsSpan(0, genes + 1));
            for (var gene = 0; gene < genes; gene++)
            {
                for (var start = pointers[gene]; start < pointers[gene + 1];)
                {
                    parts.Window(start, pointers[gene + 1], out var cells, out var values);
                    for (var entry = 0; entry < cells.Length; entry++) into.Deal(RequireCell(cells[entry]), first + gene, values[entry]);
                    start += cells.Length;
                }
            }
        }
        into.Finish();
    }

    private int RequireCell(long cell) => cell >= 0 && cell < CellCount ? (int)cell
        : throw new UserException($"{Path}: {Location} refers to row {cell} but has {CellCount}; the file is damaged, fetch or write it again.");

    /// <summary>One entry on its way.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal record struct Entry(int Cell, int Gene, double Value);
}
