using Canal.Data.H5ad;
using Canal.Data.H5ad.Isolation;

namespace Canal.Data;

/// <summary>Opens data sets by what their name ends in.</summary>
public static class ExpressionFiles
{
    /// <summary>Opens a data set.</summary>
    /// <param name="path">The file.</param>
    /// <param name="scratchFolder">Where a matrix stored by genes is turned round; null for the system's temporary folder.</param>
    /// <param name="cellIdColumn">The obs column that names the cells; null for the obs index.</param>
    /// <exception cref="UserException">There is no such file, or it is of a kind that Canal does not read.</exception>
    public static ExpressionFile Open(string path, string? scratchFolder = null, string? cellIdColumn = null)
    {
        UserPath.Checked(path, "the data set");
        if (path.EndsWith(".h5ad", StringComparison.OrdinalIgnoreCase) || Directory.Exists(path)) return OpenH5ad(path, scratchFolder, cellIdColumn);
        if (!File.Exists(path)) throw new UserException($"{path}: there is no such file.");
        throw new UserException($"{path}: Canal reads AnnData files, whose names end in .h5ad; convert it, or rename it if it is one.");
    }

    private static ExpressionFile OpenH5ad(string path, string? scratchFolder, string? cellIdColumn) => ReaderCommand.Current is { } command
        ? IsolatedFile.Open(path, scratchFolder, cellIdColumn, command)
        : H5adFile.Open(path, scratchFolder, cellIdColumn);
}
