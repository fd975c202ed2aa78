namespace Canal.Data;

/// <summary>What is read from a data set, and how.</summary>
public sealed record DataSetSettings
{
    /// <summary>Name of the data set for folds (a stage's name); null takes the content hash of the file.</summary>
    public string? Name { get; init; }

    /// <summary>Selection of cells (<c>--where</c>); null for all.</summary>
    public string? Where { get; init; }

    /// <summary>obs column with cell types; null where labels are not read.</summary>
    public string? Label { get; init; }

    /// <summary>Whether cells without a label are left out instead of being an error (<c>--skip-unlabelled</c>).</summary>
    public bool SkipUnlabelled { get; init; }

    /// <summary>Whether cells of low quality are kept and flagged (annotation) instead of left out and counted (training).</summary>
    public bool KeepLowQuality { get; init; }

    /// <summary>obs column with cell ids; null for the obs index.</summary>
    public string? CellIdColumn { get; init; }

    /// <summary>Matrices to look in, in order; null for <see cref="CountDetection.DefaultOrder"/>.</summary>
    public IReadOnlyList<string>? Matrices { get; init; }

    /// <summary>How genes are matched.</summary>
    public GeneAlignmentSettings Genes { get; init; } = new();

    /// <summary>Expressed genes below which a cell is of low quality (<c>--min-genes</c>): 0 judges none, null takes a fifth of the file's median.</summary>
    public int? FewestGenes { get; init; }

    /// <summary>Memory that tokens may take before they go to a scratch file.</summary>
    public long TokenMemoryBytes { get; init; } = TokenStoreWriter.DefaultMemoryBytes;

    /// <summary>Folder for scratch files; null for the system's temporary folder.</summary>
    public string? ScratchFolder { get; init; }

    /// <summary>Told the cells read so far and their number, during each pass over the file.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>Stops a pass over the file at its next block of cells, with <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancel { get; init; }
}
