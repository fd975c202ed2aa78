using System.Globalization;

namespace Canal.Data;

/// <summary>A data set in memory: what is simulated before it is written, and what tests read.</summary>
/// <param name="path">Name used in messages.</param>
/// <param name="cellNames">Names of the cells.</param>
public sealed class MemoryExpressionFile(string path, IReadOnlyList<string> cellNames) : ExpressionFile
{
    private sealed record Part(SparseRows Rows, IReadOnlyList<string> Genes, Dictionary<string, AnnotationColumn> Var, List<string> VarOrder);

    private readonly Dictionary<string, Part> matrices = new(StringComparer.Ordinal);
    private readonly List<string> locations = [];
    private readonly Dictionary<string, AnnotationColumn> obs = new(StringComparer.Ordinal);
    private readonly List<string> obsOrder = [];
    private double? logBase;

    /// <inheritdoc/>
    public override string Path => path;

    /// <inheritdoc/>
    public override int CellCount => cellNames.Count;

    /// <inheritdoc/>
    public override IReadOnlyList<string> CellNames => cellNames;

    /// <inheritdoc/>
    public override IReadOnlyList<string> ObsColumns => obsOrder;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Matrices => locations;

    /// <inheritdoc/>
    public override double? DeclaredLogBase => logBase;

    /// <summary>Adds a matrix with its genes.</summary>
    public MemoryExpressionFile WithMatrix(string location, SparseRows rows, IReadOnlyList<string> genes)
    {
        if (rows.Cells != CellCount) throw new ArgumentException($"{rows.Cells} rows for {CellCount} cells.", nameof(rows));
        matrices.Add(location, new Part(rows, genes, new(StringComparer.Ordinal), []));
        locations.Add(location);
        return this;
    }

    /// <summary>Adds a dense matrix [cells, genes] with its genes; zeros are not stored.</summary>
    public MemoryExpressionFile WithMatrix(string location, double[,] values, IReadOnlyList<string> genes)
    {
        var rows = new SparseRows();
        var columns = new List<int>();
        var entries = new List<double>();
        for (var cell = 0; cell < values.GetLength(0); cell++)
        {
            columns.Clear();
            entries.Clear();
            for (var gene = 0; gene < values.GetLength(1); gene++)
            {
                if (values[cell, gene] == 0) continue;
                columns.Add(gene);
                entries.Add(values[cell, gene]);
            }
            rows.Append(columns.ToArray(), entries.ToArray());
        }
        return WithMatrix(location, rows, genes);
    }

    /// <summary>Adds an obs column.</summary>
    public MemoryExpressionFile WithObs(string column, IReadOnlyList<string?> values)
    {
        if (values.Count != CellCount) throw new ArgumentException($"{values.Count} values for {CellCount} cells.", nameof(values));
        obs.Add(column, new AnnotationColumn(column, values));
        obsOrder.Add(column);
        return this;
    }

    /// <summary>Adds a var column to a matrix.</summary>
    public MemoryExpressionFile WithVar(string location, string column, IReadOnlyList<string?> values)
    {
        var part = matrices[location];
        if (values.Count != part.Genes.Count) throw new ArgumentException($"{values.Count} values for {part.Genes.Count} genes.", nameof(values));
        part.Var.Add(column, new AnnotationColumn(column, values));
        part.VarOrder.Add(column);
        return this;
    }

    /// <summary>Declares the base of the logarithm, as <c>uns/log1p/base</c> does.</summary>
    public MemoryExpressionFile WithLogBase(double? value)
    {
        logBase = value;
        return this;
    }

    /// <inheritdoc/>
    public override AnnotationColumn ReadObs(string column) => obs.TryGetValue(column, out var found) ? found
        : throw new UserException($"{Path}: obs has no column '{column}'; it has {string.Join(", ", obsOrder)}.");

    /// <inheritdoc/>
    public override IReadOnlyList<string> GeneNames(string location) => Find(location).Genes;

    /// <inheritdoc/>
    public override IReadOnlyList<string> VarColumns(string location) => Find(location).VarOrder;

    /// <inheritdoc/>
    public override AnnotationColumn ReadVar(string location, string column) => Find(location).Var.TryGetValue(column, out var found) ? found
        : throw new UserException($"{Path}: var has no column '{column}'; it has {string.Join(", ", Find(location).VarOrder)}.");

    /// <inheritdoc/>
    public override ExpressionMatrix OpenMatrix(string location) => new MemoryMatrix(location, Find(location).Rows, Find(location).Genes.Count);

    /// <inheritdoc/>
    public override void Dispose() { }

    private Part Find(string location) => matrices.TryGetValue(location, out var part) ? part
        : throw new UserException($"{Path}: no matrix {location}; it has {string.Join(", ", locations)}.");

    private sealed class MemoryMatrix(string location, SparseRows rows, int genes) : ExpressionMatrix
    {
        public override string Location => location;

        public override int CellCount => rows.Cells;

        public override int GeneCount => genes;

        public override void ReadCells(int first, int count, SparseRows block)
        {
            block.Clear();
            for (var cell = first; cell < first + count; cell++) block.Append(rows.Genes(cell), rows.Values(cell));
        }
    }

    /// <summary>Names cell0, cell1, ... for data sets that have none.</summary>
    public static string[] NumberedCells(int count, string prefix = "cell") =>
        [.. Enumerable.Range(0, count).Select(i => prefix + i.ToString(CultureInfo.InvariantCulture))];
}
