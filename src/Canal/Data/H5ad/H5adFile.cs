using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>An <c>.h5ad</c> file, read through libhdf5 in blocks of cells.</summary>
/// <remarks>
/// Files are untrusted: links and data outside the file, plug-in filters and implausible sizes are refused before anything
/// is allocated, and indptr, indices and codes are checked in every block. Source: AnnData's on-disk format, back to 0.5.
/// One thread at a time.
/// </remarks>
public sealed class H5adFile : ExpressionFile
{
    private readonly Hdf5File file;
    private readonly H5adTable obs;
    private readonly string scratchFolder;
    private readonly Dictionary<string, H5adTable> genes = new(StringComparer.Ordinal); // by table location
    private readonly Dictionary<string, string[]> geneNames = new(StringComparer.Ordinal);
    private readonly List<IDisposable> opened = [];

    private H5adFile(string path, Hdf5File file, string scratchFolder, string? cellIdColumn)
    {
        Path = path;
        this.file = file;
        this.scratchFolder = scratchFolder;
        if (!file.Root.Has("obs")) throw new UserException($"{path}: has no obs, so it is not an .h5ad; write it with AnnData.");
        obs = Own(H5adTable.Open(file.Root, "obs", file.Root));
        if (obs.Rows == 0) throw new UserException($"{path}: holds no cells.");
        CellCount = Narrow(obs.Rows, "cells");
        Matrices = H5adMatrices.List(file.Root);
        if (Matrices.Count == 0) throw new UserException($"{path}: holds no expression matrix (no X, raw/X or layers in a form that is read); write one with AnnData.");
        CellNames = Named(cellIdColumn is null ? obs.ReadIndex() : ReadObsValues(cellIdColumn), cellIdColumn ?? "the obs index");
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    public override int CellCount { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> CellNames { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> ObsColumns => obs.Columns;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Matrices { get; }

    /// <inheritdoc/>
    public override double? DeclaredLogBase => H5adErrors.Reading(Path, () => H5adMatrices.LogBase(file.Root));

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="scratchFolder">Where a matrix stored by genes (CSC) is turned round; the system's temporary folder when null.</param>
    /// <param name="cellIdColumn">The obs column that names the cells; the obs index when null.</param>
    /// <exception cref="UserException">It is not a readable .h5ad, holds no cells or no matrix, or its cell names are not unique.</exception>
    /// <exception cref="MachineException">libhdf5 is missing.</exception>
    public static H5adFile Open(string path, string? scratchFolder = null, string? cellIdColumn = null)
    {
        RequireFile(path);
        return H5adErrors.Reading(path, () =>
        {
            var file = Hdf5File.OpenRead(path);
            try
            {
                return new H5adFile(path, file, scratchFolder ?? System.IO.Path.GetTempPath(), cellIdColumn);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        });
    }

    /// <summary>Checks what can be told without libhdf5: there is a file that can be opened, and it is not empty.</summary>
    internal static void RequireFile(string path)
    {
        UserPath.Checked(path, "the data set");
        if (Directory.Exists(path)) throw new UserException($"{path} is a folder, not an .h5ad file.");
        if (!File.Exists(path)) throw new UserException($"{path}: there is no such file.");
        if (new FileInfo(path).Length == 0) throw new UserException($"{path} is empty; fetch or write it again.");
        try
        {
            using var probe = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new UserException($"{path} cannot be read (permission denied); check its permissions.", error);
        }
        catch (IOException error)
        {
            throw new UserException($"{path} cannot be read ({error.Message.TrimEnd('.')}); is another program writing it? Try again when that is done.", error);
        }
    }

    /// <inheritdoc/>
    public override AnnotationNotes? ReadNotes() => H5adErrors.Reading(Path, () => H5adNotes.Read(file.Root));

    /// <inheritdoc/>
    public override AnnotationColumn ReadObs(string column) => new(column, H5adErrors.Reading(Path, () => ReadObsValues(column)));

    /// <inheritdoc/>
    public override ExpressionMatrix OpenMatrix(string location)
    {
        RequireMatrix(location);
        return H5adErrors.Reading(Path, () =>
        {
            var matrix = H5adMatrices.Open(this, file.Root, location, scratchFolder);
            opened.Add(matrix);
            var table = Genes(location);
            if (matrix.CellCount != CellCount)
                throw new UserException($"{Path}: {location} has {matrix.CellCount} rows but obs has {CellCount}; the file is damaged, write it again.");
            if (matrix.GeneCount != table.Rows)
                throw new UserException($"{Path}: {location} has {matrix.GeneCount} columns but {table.Location} has {table.Rows}; the file is damaged, write it again.");
            if (matrix.GeneCount == 0) throw new UserException($"{Path}: {location} holds no genes.");
            return matrix;
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> GeneNames(string location)
    {
        RequireMatrix(location);
        return H5adErrors.Reading(Path, () =>
        {
            var table = Genes(location);
            if (!geneNames.TryGetValue(table.Location, out var names))
                geneNames[table.Location] = names = [.. table.ReadIndex().Select((name, row) => name ?? throw new UserException($"{Path}: {table.Location} has no name in row {row}."))];
            return names;
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> VarColumns(string location)
    {
        RequireMatrix(location);
        return H5adErrors.Reading(Path, () => Genes(location).Columns);
    }

    /// <inheritdoc/>
    public override AnnotationColumn ReadVar(string location, string column)
    {
        RequireMatrix(location);
        return new AnnotationColumn(column, H5adErrors.Reading(Path, () => ReadValues(Genes(location), column)));
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (var part in opened) part.Dispose();
        file.Dispose();
    }

    private string?[] ReadObsValues(string column) => ReadValues(obs, column);

    private string?[] ReadValues(H5adTable table, string column)
    {
        if (!table.Columns.Contains(column))
        {
            var there = table.Columns.Count == 0 ? "it has none" : "there are: " + string.Join(", ", table.Columns);
            throw new UserException($"{Path}: {table.Location} has no column '{column}'; {there}.");
        }
        var values = table.ReadColumn(column);
        if (values.Length != table.Rows) throw new UserException($"{Path}: {table.Location}/{column} has {values.Length} rows, not {table.Rows}; the file is damaged, write it again.");
        return values;
    }

    private H5adTable Genes(string location)
    {
        var name = H5adMatrices.GeneTable(file.Root, location);
        if (genes.TryGetValue(name, out var table)) return table;
        using var raw = name == "raw/var" ? file.Root.OpenGroup("raw") : null;
        var parent = raw ?? file.Root;
        var child = raw is null ? name : "var";
        if (!parent.Has(child)) throw new UserException($"{Path}: has no {name}, so the genes of {location} have no names; write the file again with AnnData.");
        return genes[name] = Own(H5adTable.Open(parent, child, file.Root));
    }

    private string[] Named(string?[] values, string source)
    {
        var names = new string[values.Length];
        var seen = new Dictionary<string, int>(values.Length, StringComparer.Ordinal);
        for (var row = 0; row < values.Length; row++)
        {
            names[row] = values[row] ?? throw new UserException($"{Path}: {source} has no value in row {row}; every cell needs a name.");
            if (!seen.TryAdd(names[row], row))
                throw new UserException($"{Path}: two cells are called '{names[row]}' (rows {seen[names[row]]} and {row} of {source}); make the names unique (AnnData: obs_names_make_unique) or choose another column with --cell-id.");
        }
        return names;
    }

    private void RequireMatrix(string location)
    {
        if (!Matrices.Contains(location)) throw new UserException($"{Path}: has no matrix {location}; there are: {string.Join(", ", Matrices)}.");
    }

    private int Narrow(long count, string what) => count <= Array.MaxLength ? (int)count : throw new UserException($"{Path}: {count} {what} are more than can be read.");

    private T Own<T>(T part) where T : IDisposable
    {
        opened.Add(part);
        return part;
    }
}
