namespace Canal.Data;

/// <summary>Cells of one data set as the model takes them: tokens, labels, folds. Made by <see cref="DataSetReader.Prepare"/>; cells are in file order.</summary>
public sealed class PreparedCells : IDisposable
{
    /// <summary>Name of the data set, which the folds hang on: a stage's name, else the content hash of the file.</summary>
    public required string Name { get; init; }

    /// <summary>The panel the tokens are of.</summary>
    public required GenePanel Panel { get; init; }

    /// <summary>Sparse tokens of the cells.</summary>
    public required TokenStore Tokens { get; init; }

    /// <summary>Cell ids.</summary>
    public required IReadOnlyList<string> CellIds { get; init; }

    /// <summary>Row of each cell in the file.</summary>
    public required IReadOnlyList<int> Rows { get; init; }

    /// <summary>Index into <see cref="Types"/> of each cell; -1 where it has no label.</summary>
    public required IReadOnlyList<int> Labels { get; init; }

    /// <summary>Cell types of these cells, trimmed, in ordinal order.</summary>
    public required IReadOnlyList<string> Types { get; init; }

    /// <summary>Whether a cell is of low quality; only where such cells are kept.</summary>
    public required IReadOnlyList<bool> LowQuality { get; init; }

    /// <summary>Whether a labelled cell is in the validation fold (<see cref="Folds"/>).</summary>
    public required IReadOnlyList<bool> Validation { get; init; }

    /// <summary>What was read and left out.</summary>
    public required DataSetReport Report { get; init; }

    /// <summary>Number of cells.</summary>
    public int Count => CellIds.Count;

    /// <inheritdoc/>
    public void Dispose() => Tokens.Dispose();
}
