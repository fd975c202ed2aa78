namespace Canal.Data;

/// <summary>Reads blocks of cells as counts: checks every value and undoes the logarithm.</summary>
public sealed class CountReader
{
    private readonly ExpressionFile file;
    private readonly ExpressionMatrix matrix;

    /// <summary>Opens the chosen matrix.</summary>
    public CountReader(ExpressionFile file, CountSource source)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(source);
        (this.file, Source) = (file, source);
        matrix = file.OpenMatrix(source.Location);
    }

    /// <summary>What is read, and how it becomes counts.</summary>
    public CountSource Source { get; }

    /// <summary>Number of cells.</summary>
    public int CellCount => matrix.CellCount;

    /// <summary>Number of genes in the file.</summary>
    public int GeneCount => matrix.GeneCount;

    /// <inheritdoc cref="ExpressionMatrix.Expect"/>
    public void Expect(int first, int count) => matrix.Expect(first, count);

    /// <summary>Reads cells as counts, zero or more, finite.</summary>
    /// <exception cref="UserException">NaN, infinite or negative values: the message names cell and gene.</exception>
    public void ReadCells(int first, int count, SparseRows block)
    {
        ArgumentNullException.ThrowIfNull(block);
        matrix.ReadCells(first, count, block);
        ValueCheck.FiniteAndPositive(file, Source.Location, block, first);
        if (Source.State != ExpressionState.Logarithm) return;
        for (var cell = 0; cell < block.Cells; cell++)
        {
            var values = block.MutableValues(cell);
            for (var i = 0; i < values.Length; i++) values[i] = Source.ToCount(values[i]);
        }
        ValueCheck.FiniteAndPositive(file, Source.Location, block, first);
    }
}
