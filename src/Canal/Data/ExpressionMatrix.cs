namespace Canal.Data;

/// <summary>A matrix cells x genes that can be read in blocks of consecutive cells, in a file or in memory. Memory does not grow with the matrix.</summary>
public abstract class ExpressionMatrix
{
    /// <summary>Where the matrix lies in its file, for messages: <c>X</c>, <c>raw/X</c>, <c>layers/counts</c>.</summary>
    public abstract string Location { get; }

    /// <summary>Number of cells.</summary>
    public abstract int CellCount { get; }

    /// <summary>Number of genes.</summary>
    public abstract int GeneCount { get; }

    /// <summary>Reads cells <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> into <paramref name="block"/>, replacing what it held. Values as stored.</summary>
    /// <exception cref="UserException">The file is damaged there or holds NaN, infinite values.</exception>
    public abstract void ReadCells(int first, int count, SparseRows block);

    /// <summary>Says which cells will be read next, so that a matrix that can may read them meanwhile. Reading others instead is slow but right.</summary>
    public virtual void Expect(int first, int count) { }
}
