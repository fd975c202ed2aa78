using Canal.Data;

namespace Canal.Evaluation;

/// <summary>Features of cells for the baseline: chosen rows of one or several stores, whose values are not copied. Values float32, sums float64.</summary>
public sealed class SparseFeatures
{
    private readonly (FeatureStore Store, int Cell)[] cells;

    private SparseFeatures(int columns, (FeatureStore Store, int Cell)[] cells) => (Columns, this.cells) = (columns, cells);

    /// <summary>Number of cells.</summary>
    public int Rows => cells.Length;

    /// <summary>Number of features: genes of the panel.</summary>
    public int Columns { get; }

    /// <summary>Features of a cell that are not zero, ascending; they hold until the same thread asks for another cell.</summary>
    public ReadOnlySpan<ushort> Positions(int row) => cells[row].Store.Positions(cells[row].Cell);

    /// <summary>Their values.</summary>
    public ReadOnlySpan<float> Values(int row) => cells[row].Store.Values(cells[row].Cell);

    /// <summary>All cells of a store, which the caller disposes when the features are no longer used.</summary>
    public static SparseFeatures Of(FeatureStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        return new SparseFeatures(store.PanelGenes, [.. Enumerable.Range(0, store.Cells).Select(cell => (store, cell))]);
    }

    /// <summary>A dense matrix, zeros left out.</summary>
    public static SparseFeatures Of(float[,] dense)
    {
        ArgumentNullException.ThrowIfNull(dense);
        var (rows, columns) = (dense.GetLength(0), dense.GetLength(1));
        var store = new FeatureStore(columns, long.MaxValue);
        for (var row = 0; row < rows; row++)
        {
            int[] present = [.. Enumerable.Range(0, columns).Where(column => dense[row, column] != 0)];
            store.Add([.. present.Select(column => (ushort)column)], [.. present.Select(column => dense[row, column])]);
        }
        return Of(store);
    }

    /// <summary>Several sets of cells one behind the other, of the same features.</summary>
    public static SparseFeatures Concatenate(IReadOnlyList<SparseFeatures> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return new SparseFeatures(parts[0].Columns, [.. parts.SelectMany(part => part.cells)]);
    }

    /// <summary>Some of the cells, in the given order.</summary>
    public SparseFeatures Select(IReadOnlyList<int> rows) => new(Columns, [.. rows.Select(row => cells[row])]);
}
