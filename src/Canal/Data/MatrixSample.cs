namespace Canal.Data;

/// <summary>Values of some cells spread over a matrix, from which its state is judged; memory does not grow with the file.</summary>
internal sealed class MatrixSample
{
    private const int Blocks = 16;
    private const int CellsPerBlock = 8;

    private MatrixSample(List<double[]> cells)
    {
        Cells = cells;
        var (entries, whole) = (0L, 0L);
        foreach (var cell in cells)
        {
            foreach (var value in cell)
            {
                entries++;
                if (value == Math.Round(value)) whole++;
                Maximum = Math.Max(Maximum, value);
                Minimum = Math.Min(Minimum, value);
            }
        }
        Entries = entries;
        WholeShare = entries == 0 ? 1 : (double)whole / entries;
    }

    /// <summary>Values of each cell that has any.</summary>
    public IReadOnlyList<double[]> Cells { get; }

    /// <summary>Number of values.</summary>
    public long Entries { get; }

    /// <summary>Largest value, at least 0.</summary>
    public double Maximum { get; }

    /// <summary>Smallest value, at most 0.</summary>
    public double Minimum { get; }

    /// <summary>Share of the values that are whole numbers; 1 where there are none.</summary>
    public double WholeShare { get; }

    /// <summary>Reads up to 128 cells: all of a small matrix, else 16 blocks of 8 spread evenly.</summary>
    public static MatrixSample Read(ExpressionMatrix matrix, Action<SparseRows, int> check)
    {
        var rows = new SparseRows();
        var cells = new List<double[]>();
        var blocks = matrix.CellCount <= Blocks * CellsPerBlock ? 1 : Blocks;
        var length = blocks == 1 ? matrix.CellCount : CellsPerBlock;
        for (var block = 0; block < blocks; block++)
        {
            var first = blocks == 1 ? 0 : (int)((long)block * (matrix.CellCount - length) / (blocks - 1));
            matrix.ReadCells(first, length, rows);
            check(rows, first);
            for (var cell = 0; cell < rows.Cells; cell++)
            {
                if (rows.Values(cell).Length > 0) cells.Add(rows.Values(cell).ToArray());
            }
        }
        return new MatrixSample(cells);
    }

    /// <summary>Total of each cell after undoing a logarithm.</summary>
    public double[] Totals(double logBase)
    {
        var scale = Math.Log(logBase);
        return Totals(value => Math.Exp(value * scale) - 1);
    }

    /// <summary>Total of each cell.</summary>
    public double[] Totals() => Totals(value => value);

    private double[] Totals(Func<double, double> transform)
    {
        var totals = new double[Cells.Count];
        for (var cell = 0; cell < totals.Length; cell++)
        {
            foreach (var value in Cells[cell]) totals[cell] += transform(value);
        }
        return totals;
    }
}
