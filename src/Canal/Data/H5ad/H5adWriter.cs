using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>How the values of a new file are stored.</summary>
public enum H5adValues
{
    /// <summary>32-bit floating-point numbers, as most files hold their counts.</summary>
    Float32,

    /// <summary>32-bit whole numbers.</summary>
    Int32,
}

/// <summary>Writes a new <c>.h5ad</c>, block of cells by block of cells; it appears under its name when complete.</summary>
/// <example><code>
/// using var writer = new H5adWriter(path, genes.Count);
/// foreach (var block in blocks) writer.Append(block);
/// writer.Complete(obs, var);
/// </code></example>
public sealed class H5adWriter : IDisposable
{
    private static readonly string[] EmptyGroups = ["layers", "obsm", "obsp", "varm", "varp"];
    private readonly string path;
    private readonly AtomicFile output;
    private readonly int geneCount;
    private readonly H5adValues stored;
    private readonly List<long> pointers = [0];
    private Hdf5File? file;
    private Hdf5Dataset? values, indices;
    private float[] floats = [];
    private int[] whole = [];

    /// <summary>Starts a file with a CSR matrix <c>X</c> in gzip chunks.</summary>
    /// <param name="path">The file that is to appear.</param>
    /// <param name="geneCount">Number of genes.</param>
    /// <param name="stored">Type of the values.</param>
    public H5adWriter(string path, int geneCount, H5adValues stored = H5adValues.Float32)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(geneCount);
        this.path = path;
        this.geneCount = geneCount;
        this.stored = stored;
        output = new AtomicFile(path);
        try
        {
            H5adErrors.Writing(path, () =>
            {
                file = Hdf5File.Create(output.TemporaryPath);
                H5adEncoding.Mark(file.Root, "anndata", "0.1.0");
                using var matrix = file.Root.CreateGroup("X");
                H5adEncoding.Mark(matrix, "csr_matrix", "0.1.0");
                values = stored == H5adValues.Float32 ? matrix.CreateGrowing<float>("data") : matrix.CreateGrowing<int>("data");
                indices = matrix.CreateGrowing<int>("indices");
            });
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Number of cells appended so far.</summary>
    public int CellCount => pointers.Count - 1;

    /// <summary>Appends the cells of a block.</summary>
    /// <exception cref="ArgumentException">A gene lies outside the matrix, or a value does not fit the stored type exactly.</exception>
    public void Append(SparseRows block)
    {
        ArgumentNullException.ThrowIfNull(block);
        if (whole.Length < block.Entries) whole = new int[block.Entries * 2];
        var at = 0;
        for (var cell = 0; cell < block.Cells; cell++)
        {
            foreach (var gene in block.Genes(cell))
            {
                if (gene < 0 || gene >= geneCount) throw new ArgumentException($"Gene {gene} of {geneCount}.", nameof(block));
                whole[at++] = gene;
            }
            pointers.Add(pointers[^1] + block.Genes(cell).Length);
        }
        H5adErrors.Writing(path, () => indices!.Append<int>(whole.AsSpan(0, block.Entries)));
        AppendValues(block);
    }

    /// <summary>Writes the annotations and lets the file appear under its name.</summary>
    /// <param name="obs">One row a cell.</param>
    /// <param name="var">One row a gene.</param>
    /// <param name="uns">Further values: text, numbers, lists of text, dictionaries of these.</param>
    public void Complete(AnnotationTable obs, AnnotationTable var, IReadOnlyDictionary<string, object>? uns = null)
    {
        ArgumentNullException.ThrowIfNull(obs);
        ArgumentNullException.ThrowIfNull(var);
        if (obs.Index.Count != CellCount) throw new ArgumentException($"obs has {obs.Index.Count} rows for {CellCount} cells.", nameof(obs));
        if (var.Index.Count != geneCount) throw new ArgumentException($"var has {var.Index.Count} rows for {geneCount} genes.", nameof(var));
        H5adErrors.Writing(path, () =>
        {
            var root = file!.Root;
            using (var matrix = root.OpenGroup("X"))
            {
                matrix.WriteAttribute("shape", new long[] { CellCount, geneCount });
                // SciPy wants indices and pointers of one width as long as that is possible.
                using var written = pointers[^1] <= int.MaxValue
                    ? matrix.Write<int>("indptr", pointers.ConvertAll(pointer => (int)pointer).ToArray())
                    : matrix.Write<long>("indptr", pointers.ToArray());
            }
            H5adEncoding.WriteTable(root, "obs", obs);
            H5adEncoding.WriteTable(root, "var", var);
            foreach (var name in EmptyGroups) H5adEncoding.CreateDictionary(root, name).Dispose();
            H5adEncoding.WriteValue(root, "uns", uns ?? new Dictionary<string, object>());
            Close();
            using (Hdf5File.OpenRead(output.TemporaryPath, shared: false)) { } // what cannot be opened again must not replace anything
        });
        output.Commit();
    }

    /// <summary>Closes the file; unless it was completed, nothing remains of it.</summary>
    public void Dispose()
    {
        values?.Dispose();
        indices?.Dispose();
        file?.Dispose();
        output.Dispose();
    }

    private void Close()
    {
        file!.Flush();
        values!.Dispose();
        indices!.Dispose();
        file.Dispose();
    }

    private void AppendValues(SparseRows block)
    {
        if (stored == H5adValues.Float32 && floats.Length < block.Entries) floats = new float[block.Entries * 2];
        var at = 0;
        for (var cell = 0; cell < block.Cells; cell++)
        {
            foreach (var value in block.Values(cell))
            {
                if (stored == H5adValues.Float32) floats[at++] = (float)value;
                else whole[at++] = value == (int)value ? (int)value : throw new ArgumentException($"{value} is not a whole number.", nameof(block));
            }
        }
        H5adErrors.Writing(path, () =>
        {
            if (stored == H5adValues.Float32) values!.Append<float>(floats.AsSpan(0, at));
            else values!.Append<int>(whole.AsSpan(0, at));
        });
    }
}
