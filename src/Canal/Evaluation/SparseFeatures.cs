using Canal.Data;

namespace Canal.Evaluation;

/// <summary>Features of cells in compressed sparse row form, for the baseline: values float32, sums float64.</summary>
public sealed class SparseFeatures
{
    private readonly int[] offsets;
    private readonly ushort[] positions;
    private readonly float[] values;

    private SparseFeatures(int columns, int[] offsets, ushort[] positions, float[] values) =>
        (Columns, this.offsets, this.positions, this.values) = (columns, offsets, positions, values);

    /// <summary>Number of cells.</summary>
    public int Rows => offsets.Length - 1;

    /// <summary>Number of features: genes of the panel.</summary>
    public int Columns { get; }

    /// <summary>Features of a cell that are not zero, ascending.</summary>
    public ReadOnlySpan<ushort> Positions(int row) => positions.AsSpan(offsets[row]..offsets[row + 1]);

    /// <summary>Their values.</summary>
    public ReadOnlySpan<float> Values(int row) => values.AsSpan(offsets[row]..offsets[row + 1]);

    /// <summary>Log features of cells.</summary>
    public static SparseFeatures Of(LogFeatures features) => Gather(
        features.PanelGenes, features.Cells, row => features.Positions(row).Length, (row, positions, values) =>
        {
            features.Positions(row).CopyTo(positions);
            features.Values(row).CopyTo(values);
        });

    /// <summary>Tokens of cells as features: the expression bins.</summary>
    public static SparseFeatures Of(TokenStore tokens, int panelGenes) => Gather(
        panelGenes, tokens.Cells, tokens.EntryCount, (row, positions, values) =>
        {
            tokens.Positions(row).CopyTo(positions);
            var bins = tokens.Bins(row);
            for (var i = 0; i < bins.Length; i++) values[i] = bins[i];
        });

    /// <summary>A dense matrix, zeros left out.</summary>
    public static SparseFeatures Of(float[,] dense)
    {
        var (rows, columns) = (dense.GetLength(0), dense.GetLength(1));
        int[][] present = [.. Enumerable.Range(0, rows).Select(row => Enumerable.Range(0, columns).Where(column => dense[row, column] != 0).ToArray())];
        return Gather(columns, rows, row => present[row].Length, (row, positions, values) =>
        {
            for (var i = 0; i < positions.Length; i++) (positions[i], values[i]) = ((ushort)present[row][i], dense[row, present[row][i]]);
        });
    }

    /// <summary>Several sets of cells one behind the other, of the same features.</summary>
    public static SparseFeatures Concatenate(IReadOnlyList<SparseFeatures> parts)
    {
        (SparseFeatures Part, int Row)[] rows = [.. parts.SelectMany(part => Enumerable.Range(0, part.Rows).Select(row => (part, row)))];
        return Gather(parts[0].Columns, rows.Length, i => rows[i].Part.Positions(rows[i].Row).Length, (i, positions, values) =>
        {
            rows[i].Part.Positions(rows[i].Row).CopyTo(positions);
            rows[i].Part.Values(rows[i].Row).CopyTo(values);
        });
    }

    /// <summary>Some of the cells, in the given order.</summary>
    public SparseFeatures Select(IReadOnlyList<int> rows) => Gather(Columns, rows.Count, i => Positions(rows[i]).Length, (i, to, toValues) =>
    {
        Positions(rows[i]).CopyTo(to);
        Values(rows[i]).CopyTo(toValues);
    });

    private delegate void CopyRow(int row, Span<ushort> positions, Span<float> values);

    private static SparseFeatures Gather(int columns, int rows, Func<int, int> count, CopyRow copy)
    {
        var offsets = new int[rows + 1];
        for (var row = 0; row < rows; row++) offsets[row + 1] = checked(offsets[row] + count(row));
        var (positions, values) = (new ushort[offsets[^1]], new float[offsets[^1]]);
        for (var row = 0; row < rows; row++) copy(row, positions.AsSpan(offsets[row]..offsets[row + 1]), values.AsSpan(offsets[row]..offsets[row + 1]));
        return new SparseFeatures(columns, offsets, positions, values);
    }
}
