using Canal.Data;

namespace Canal.Tests.Data;

/// <summary>Small data sets in memory.</summary>
internal static class ExpressionSamples
{
    /// <summary>A file with one matrix at X and cells cell0, cell1, ...</summary>
    public static MemoryExpressionFile File(double[,] values, IReadOnlyList<string> genes, string location = "X") =>
        Empty(values.GetLength(0)).WithMatrix(location, values, genes);

    /// <summary>A file without a matrix.</summary>
    public static MemoryExpressionFile Empty(int cells) => new("sample.h5ad", MemoryExpressionFile.NumberedCells(cells));

    /// <summary>Symbols GENE0, GENE1, ...</summary>
    public static string[] Symbols(int count) => [.. Enumerable.Range(0, count).Select(i => $"GENE{i}")];

    /// <summary>Row-major values as a matrix.</summary>
    public static double[,] Dense(double[] values, int rows, int columns)
    {
        var dense = new double[rows, columns];
        for (var i = 0; i < values.Length; i++) dense[i / columns, i % columns] = values[i];
        return dense;
    }

    /// <summary>Sparse rows as row-major values.</summary>
    public static double[] ToDense(SparseRows rows, int columns)
    {
        var dense = new double[rows.Cells * columns];
        for (var cell = 0; cell < rows.Cells; cell++)
        {
            for (var i = 0; i < rows.Genes(cell).Length; i++) dense[cell * columns + rows.Genes(cell)[i]] = rows.Values(cell)[i];
        }
        return dense;
    }

    /// <summary>Whole counts of cells of different depth: about half of the entries are zero.</summary>
    public static double[,] Counts(int cells, int genes, ulong seed = 1)
    {
        var counts = new double[cells, genes];
        var random = new Random((int)seed);
        for (var cell = 0; cell < cells; cell++)
        {
            var depth = 4 + 6 * random.NextDouble();
            for (var gene = 0; gene < genes; gene++)
            {
                var mean = depth * (0.05 + 3.0 * gene % 7 / 7);
                counts[cell, gene] = Math.Floor(-mean * Math.Log(1 - random.NextDouble()));
            }
        }
        return counts;
    }

    /// <summary>Each value changed.</summary>
    public static double[,] Map(double[,] values, Func<double, double> change)
    {
        var result = new double[values.GetLength(0), values.GetLength(1)];
        for (var i = 0; i < values.GetLength(0); i++)
        {
            for (var j = 0; j < values.GetLength(1); j++) result[i, j] = change(values[i, j]);
        }
        return result;
    }

    /// <summary>Each cell scaled to a total.</summary>
    public static double[,] Normalise(double[,] values, double target)
    {
        var result = (double[,])values.Clone();
        for (var i = 0; i < values.GetLength(0); i++)
        {
            var total = 0.0;
            for (var j = 0; j < values.GetLength(1); j++) total += values[i, j];
            for (var j = 0; j < values.GetLength(1); j++) result[i, j] *= target / total;
        }
        return result;
    }
}
