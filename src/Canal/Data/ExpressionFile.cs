namespace Canal.Data;

/// <summary>One column of <c>obs</c> or <c>var</c> as text.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Values">One a row; null where missing. Numbers and booleans in invariant form.</param>
public sealed record AnnotationColumn(string Name, IReadOnlyList<string?> Values);

/// <summary>What <c>canal annotate</c> left in <c>uns/canal</c>.</summary>
/// <param name="KnownTypes">The cell types that the model knew.</param>
/// <param name="Simulated">Whether the cells, or those that the model was made from, are simulated.</param>
public sealed record AnnotationNotes(IReadOnlyList<string> KnownTypes, bool Simulated);

/// <summary>A single-cell data set in a file: cells with annotations (obs), genes with annotations (var), and one or more matrices.</summary>
public abstract class ExpressionFile : IDisposable
{
    /// <summary>Path as the user gave it.</summary>
    public abstract string Path { get; }

    /// <summary>Number of cells (rows of obs).</summary>
    public abstract int CellCount { get; }

    /// <summary>Names of the cells: the obs index.</summary>
    public abstract IReadOnlyList<string> CellNames { get; }

    /// <summary>Names of the obs columns, in file order.</summary>
    public abstract IReadOnlyList<string> ObsColumns { get; }

    /// <summary>Reads one obs column.</summary>
    /// <exception cref="UserException">There is no such column; the message lists those there are.</exception>
    public abstract AnnotationColumn ReadObs(string column);

    /// <summary>Locations of the matrices, of those Canal looks at: <c>layers/*</c>, <c>raw/X</c>, <c>X</c>.</summary>
    public abstract IReadOnlyList<string> Matrices { get; }

    /// <summary>Opens a matrix by location.</summary>
    public abstract ExpressionMatrix OpenMatrix(string location);

    /// <summary>Gene names that belong to a matrix: <c>var</c>'s index, or <c>raw/var</c>'s for <c>raw/X</c>.</summary>
    public abstract IReadOnlyList<string> GeneNames(string location);

    /// <summary>Names of the var columns that belong to a matrix.</summary>
    public abstract IReadOnlyList<string> VarColumns(string location);

    /// <summary>Reads one var column of a matrix (for <c>--gene-column</c>).</summary>
    public abstract AnnotationColumn ReadVar(string location, string column);

    /// <summary>Base of the logarithm that the file declares (<c>uns/log1p/base</c>): null where it says nothing or says natural.</summary>
    public abstract double? DeclaredLogBase { get; }

    /// <summary>What <c>canal annotate</c> noted in the file; null where it did not write it.</summary>
    public virtual AnnotationNotes? ReadNotes() => null;

    /// <inheritdoc/>
    public abstract void Dispose();
}
