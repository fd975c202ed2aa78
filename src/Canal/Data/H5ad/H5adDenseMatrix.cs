using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>A matrix stored with all its zeros.</summary>
internal sealed class H5adDenseMatrix : H5adMatrix
{
    private const int SlabBytes = 16 << 20;
    private readonly Hdf5Dataset dataset;
    private readonly int slabRows;
    private readonly long[] columns;
    private double[] slab = [];

    public H5adDenseMatrix(H5adFile file, string location, Hdf5Dataset dataset) : base(file, location)
    {
        this.dataset = dataset;
        if (dataset.Dims.Count != 2 || dataset.Dims.Any(length => length > int.MaxValue / sizeof(double)))
            throw new Hdf5RefusedException($"{location}: is not a matrix that can be read ({string.Join(" x ", dataset.Dims)})");
        CellCount = (int)dataset.Dims[0];
        GeneCount = (int)dataset.Dims[1];
        slabRows = Math.Max(1, SlabBytes / sizeof(double) / Math.Max(1, GeneCount));
        columns = new long[GeneCount];
        for (var column = 0; column < columns.Length; column++) columns[column] = column;
    }

    public override int CellCount { get; }

    public override int GeneCount { get; }

    public override void Dispose() => dataset.Dispose();

    protected override void Read(int first, int count, SparseRows block)
    {
        for (var done = 0; done < count; done += slabRows)
        {
            var rows = Math.Min(slabRows, count - done);
            if (slab.Length < rows * GeneCount) slab = new double[rows * GeneCount];
            dataset.ReadRows(first + done, rows, slab.AsSpan(0, rows * GeneCount));
            for (var row = 0; row < rows; row++)
            {
                BeginRow(first + done + row, GeneCount);
                Add(first + done + row, columns, slab.AsSpan(row * GeneCount, GeneCount));
                EndRow(block);
            }
        }
    }
}
