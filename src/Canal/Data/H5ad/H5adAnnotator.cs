using Canal.Data.H5ad.Isolation;
using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>An array [cells, Width] for <c>obsm</c>, handed over in blocks so that it need not lie in memory whole.</summary>
/// <param name="Name">Name in <c>obsm</c>: <c>X_canal</c>.</param>
/// <param name="Width">Columns.</param>
/// <param name="ReadRows">Fills whole rows from a first cell on, row-major.</param>
public sealed record CellEmbedding(string Name, int Width, CellEmbedding.RowReader ReadRows)
{
    /// <summary>Fills <paramref name="rows"/> with the rows from cell <paramref name="first"/> on.</summary>
    public delegate void RowReader(int first, Span<float> rows);

    /// <summary>An embedding that lies in memory, row-major.</summary>
    public static CellEmbedding FromArray(string name, int width, float[] values) =>
        new(name, width, (first, rows) => values.AsSpan((int)((long)first * width), rows.Length).CopyTo(rows));
}

/// <summary>What annotation adds to a file.</summary>
public sealed record H5adAdditions
{
    /// <summary>Columns for <c>obs</c>, one row a cell in the file's order; columns of these names are replaced.</summary>
    public IReadOnlyList<TableColumn> Obs { get; init; } = [];

    /// <summary>Columns of <c>obs</c> with this prefix that are not among <see cref="Obs"/> are removed: the leavings of an earlier annotation. None when null.</summary>
    public string? ReplacePrefix { get; init; } = "canal_";

    /// <summary>Arrays for <c>obsm</c>.</summary>
    public IReadOnlyList<CellEmbedding> Obsm { get; init; } = [];

    /// <summary>Entries of <c>uns</c>, replaced whole: text, numbers, lists of text, dictionaries of these.</summary>
    public IReadOnlyDictionary<string, object> Uns { get; init; } = new Dictionary<string, object>();
}

/// <summary>Writes a copy of an <c>.h5ad</c> with additions. The copy starts as the file itself, byte for byte, so nothing the source held is lost.</summary>
public static class H5adAnnotator
{
    private const int CopyBytes = 1 << 20;
    private const int RowsAtATime = 4096;

    /// <summary>Writes the copy; the target (which may be the source) is replaced in one step at the end.</summary>
    /// <exception cref="UserException">The source is not a readable .h5ad or the target cannot be written.</exception>
    /// <exception cref="MachineException">The disk is full or libhdf5 is missing.</exception>
    public static void Write(string source, string target, H5adAdditions additions, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(additions);
        using var output = new AtomicFile(target);
        // A damaged file can bring libhdf5 down while it is added to, as it can while it is read.
        using var amender = ReaderCommand.Current is { } command ? new IsolatedAmender(source, command) : null;
        if (amender is null) RequireReadable(source);
        else amender.RequireReadable();
        Copy(source, output, cancel);
        if (amender is null) Amend(source, output.TemporaryPath, target, additions, cancel);
        else amender.Amend(output.TemporaryPath, target, additions, cancel);
        cancel.ThrowIfCancellationRequested();
        output.Commit();
    }

    /// <summary>Checks that a file opens, which includes that nobody is writing it.</summary>
    internal static void RequireReadable(string source) => H5adErrors.Reading(source, () => Hdf5File.OpenRead(source).Dispose());

    /// <summary>Adds to a copy of a file.</summary>
    /// <param name="source">What it is a copy of, for messages about what it holds.</param>
    /// <param name="copy">The copy.</param>
    /// <param name="target">What it will be called, for messages about writing.</param>
    /// <param name="additions">What to add.</param>
    /// <param name="cancel">Stops between blocks of an embedding.</param>
    internal static void Amend(string source, string copy, string target, H5adAdditions additions, CancellationToken cancel) => H5adErrors.Amending(source, target, () =>
    {
        using (var file = Hdf5File.OpenWrite(copy))
        {
            var rows = AddObs(file.Root, additions);
            AddObsm(file.Root, additions.Obsm, rows, cancel);
            AddUns(file.Root, additions.Uns);
            file.Flush();
        }
        using (Hdf5File.OpenRead(copy, shared: false)) { } // what cannot be opened again must not replace anything
    });

    private static void Copy(string source, AtomicFile output, CancellationToken cancel)
    {
        try
        {
            using var from = new FileStream(source, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            using var to = output.OpenWrite();
            var buffer = new byte[CopyBytes];
            for (int read; (read = from.Read(buffer)) > 0;)
            {
                cancel.ThrowIfCancellationRequested();
                to.Write(buffer, 0, read);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Translate(error, output.Target);
        }
    }

    private static int AddObs(Hdf5Group root, H5adAdditions additions)
    {
        H5adOldTables.ModernizeObs(root);
        int rows;
        List<string> columns;
        using (var table = H5adTable.Open(root, "obs", root))
        {
            rows = (int)table.Rows;
            columns = [.. table.Columns];
        }
        using var obs = root.OpenGroup("obs");
        var index = obs.ReadAttributeString("_index") ?? "_index";
        var names = additions.Obs.Select(column => column.Name).ToHashSet(StringComparer.Ordinal);
        if (names.Contains(index)) throw new Hdf5RefusedException($"obs: the index is called '{index}', as a column that is to be written; rename it");
        var listed = obs.ReadAttributeStrings("column-order")?.ToList() ?? columns;
        var stale = columns.Where(column => names.Contains(column) || (additions.ReplacePrefix is { } prefix && column.StartsWith(prefix, StringComparison.Ordinal))).ToList();
        foreach (var column in stale.Union(names)) Remove(obs, column);
        foreach (var column in additions.Obs) H5adEncoding.WriteColumn(obs, column, rows);
        listed.RemoveAll(column => stale.Contains(column) || names.Contains(column));
        listed.AddRange(additions.Obs.Select(column => column.Name));
        obs.WriteAttribute("column-order", listed);
        return rows;
    }

    private static void Remove(Hdf5Group obs, string column)
    {
        if (obs.Has(column)) obs.Delete(column);
        if (!obs.Has("__categories")) return;
        using var categories = obs.OpenGroup("__categories");
        if (categories.Has(column)) categories.Delete(column);
    }

    private static void AddObsm(Hdf5Group root, IReadOnlyList<CellEmbedding> embeddings, int rows, CancellationToken cancel)
    {
        if (embeddings.Count == 0) return;
        H5adOldTables.ModernizeObsm(root);
        using var obsm = root.Has("obsm") ? root.OpenGroup("obsm") : H5adEncoding.CreateDictionary(root, "obsm");
        foreach (var embedding in embeddings)
        {
            if (obsm.Has(embedding.Name)) obsm.Delete(embedding.Name);
            using var written = obsm.CreateGrowingRows(embedding.Name, embedding.Width);
            H5adEncoding.Mark(written, "array", "0.2.0");
            var buffer = new float[Math.Min(RowsAtATime, rows) * embedding.Width];
            for (var first = 0; first < rows; first += RowsAtATime)
            {
                cancel.ThrowIfCancellationRequested();
                var block = buffer.AsSpan(0, Math.Min(RowsAtATime, rows - first) * embedding.Width);
                embedding.ReadRows(first, block);
                written.AppendRows(block);
            }
        }
    }

    private static void AddUns(Hdf5Group root, IReadOnlyDictionary<string, object> values)
    {
        if (values.Count == 0) return;
        using var uns = root.Has("uns") ? root.OpenGroup("uns") : H5adEncoding.CreateDictionary(root, "uns");
        foreach (var (name, value) in values)
        {
            if (uns.Has(name)) uns.Delete(name);
            H5adEncoding.WriteValue(uns, name, value);
        }
    }
}
