namespace Canal.Fuzz;

/// <summary>Kinds of input.</summary>
internal enum FuzzKind
{
    /// <summary>Bytes of an .h5ad changed, removed, added.</summary>
    H5adBytes,

    /// <summary>A well-formed .h5ad that holds nonsense: shapes, pointers, codes, names.</summary>
    H5adContents,

    /// <summary>A model.</summary>
    Model,

    /// <summary>A stream file.</summary>
    Stream,

    /// <summary>Prepared cells.</summary>
    Cells,

    /// <summary>A list of genes.</summary>
    Genes,

    /// <summary>What an interrupted run left to go on from.</summary>
    State,
}

/// <summary>One input and the command that reads it.</summary>
/// <param name="Index">Its place in the run.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Folder">Where it lies.</param>
/// <param name="Source">What it was made from, and how.</param>
/// <param name="Arguments">The command line.</param>
/// <param name="Output">What the command writes; null where it writes nothing.</param>
/// <param name="AsCommandLine">Whether it is run as a process of its own.</param>
internal sealed record FuzzCase(int Index, FuzzKind Kind, string Folder, string Source, string[] Arguments, string? Output, bool AsCommandLine)
{
    /// <summary>Whether nothing was damaged, to see that the command does what it should where it can.</summary>
    public bool IsSound { get; init; }

    /// <summary>The command line for a shell.</summary>
    public string Command => "canal " + string.Join(' ', Arguments.Select(a => a.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '-' or '_' or '=') && a.Length > 0 ? a : "'" + a.Replace("'", "'\\''", StringComparison.Ordinal) + "'"));
}
