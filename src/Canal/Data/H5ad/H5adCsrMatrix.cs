namespace Canal.Data.H5ad;

/// <summary>A matrix stored by cells, compressed.</summary>
internal sealed class H5adCsrMatrix(H5adFile file, string location, H5adSparseParts parts) : H5adMatrix(file, location)
{
    private long[] pointers = [];

    public override int CellCount => parts.Major;

    public override int GeneCount => parts.Minor;

    public override void Dispose() => parts.Dispose();

    protected override void Read(int first, int count, SparseRows block)
    {
        if (pointers.Length < count + 1) pointers = new long[count + 1];
        parts.ReadPointers(first, pointers.AsSpan(0, count + 1));
        for (var row = 0; row < count; row++)
        {
            var end = pointers[row + 1];
            BeginRow(first + row, end - pointers[row]);
            for (var start = pointers[row]; start < end;)
            {
                parts.Window(start, end, out var genes, out var values);
                Add(first + row, genes, values);
                start += genes.Length;
            }
            EndRow(block);
        }
    }
}
