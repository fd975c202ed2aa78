using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>Finds the matrices of a file and opens them in whichever form they are stored.</summary>
internal static class H5adMatrices
{
    /// <summary>Locations of the matrices that can be read: layers, then raw/X, then X.</summary>
    public static IReadOnlyList<string> List(Hdf5Group root)
    {
        var found = new List<string>();
        if (root.Has("layers"))
        {
            using var layers = root.Open("layers") as Hdf5Group;
            if (layers is not null) found.AddRange(layers.Names().Select(name => "layers/" + name));
        }
        found.Add("raw/X");
        found.Add("X");
        return [.. found.Where(location => IsMatrix(root, location))];
    }

    /// <summary>The table with the genes of a matrix.</summary>
    public static string GeneTable(Hdf5Group root, string location) => location != "raw/X" ? "var" : IsDottedRaw(root) ? "raw.var" : "raw/var";

    /// <summary>Base of the logarithm in <c>uns/log1p/base</c>, where it says one other than e.</summary>
    public static double? LogBase(Hdf5Group root)
    {
        if (!root.Has("uns")) return null;
        using var uns = root.Open("uns") as Hdf5Group;
        if (uns is null || !uns.Has("log1p")) return null;
        using var log1p = uns.Open("log1p") as Hdf5Group;
        if (log1p is null || !log1p.Has("base")) return null;
        using var stored = log1p.Open("base") as Hdf5Dataset;
        if (stored is null || stored.Count != 1 || stored.Type.Kind is not (Hdf5Kind.Integer or Hdf5Kind.Float)) return null;
        Span<double> value = stackalloc double[1];
        stored.Read(0, value);
        return !(value[0] > 1) || double.IsInfinity(value[0]) || Math.Abs(value[0] - Math.E) < 1e-6 ? null : value[0];
    }

    /// <summary>Opens a matrix.</summary>
    public static H5adMatrix Open(H5adFile file, Hdf5Group root, string location, string scratchFolder)
    {
        var stored = Locate(root, location) ?? throw new Hdf5RefusedException($"{location}: is not there");
        if (stored is Hdf5Dataset dense) return new H5adDenseMatrix(file, location, dense);
        using var group = (Hdf5Group)stored;
        var shape = group.ReadAttributeIntegers("shape") ?? group.ReadAttributeIntegers("h5sparse_shape");
        if (shape is not { Count: 2 } || shape.Any(length => length is < 0 or > int.MaxValue))
            throw new Hdf5RefusedException($"{location}: has no shape of two dimensions that can be read; write the file again with AnnData");
        return SparseForm(group) == "csr"
            ? new H5adCsrMatrix(file, location, new H5adSparseParts(group, shape[0], shape[1]))
            : new H5adCscMatrix(file, location, new H5adSparseParts(group, shape[1], shape[0]), scratchFolder);
    }

    private static bool IsMatrix(Hdf5Group root, string location)
    {
        try
        {
            using var stored = Locate(root, location);
            return stored switch
            {
                Hdf5Dataset dense => dense.Dims.Count == 2 && dense.Type.Kind is Hdf5Kind.Integer or Hdf5Kind.Float or Hdf5Kind.Boolean,
                Hdf5Group group => SparseForm(group) is not null,
                _ => false,
            };
        }
        catch (Hdf5RefusedException) when (location.StartsWith("layers/", StringComparison.Ordinal))
        {
            return false; // a layer that is not read does not stop the others; X and raw/X say why
        }
    }

    private static string? SparseForm(Hdf5Group group)
    {
        var form = group.ReadAttributeString("encoding-type") ?? group.ReadAttributeString("h5sparse_format");
        return form is "csr_matrix" or "csr" ? "csr" : form is "csc_matrix" or "csc" ? "csc" : null;
    }

    private static bool IsDottedRaw(Hdf5Group root) => root.Has("raw.X") && !root.Has("raw");

    private static Hdf5Object? Locate(Hdf5Group root, string location)
    {
        if (location == "raw/X" && IsDottedRaw(root)) return root.Open("raw.X");
        var slash = location.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0) return root.Has(location) ? root.Open(location) : null;
        if (!root.Has(location[..slash])) return null;
        using var parent = root.Open(location[..slash]) as Hdf5Group;
        return parent is not null && parent.Has(location[(slash + 1)..]) ? parent.Open(location[(slash + 1)..]) : null;
    }
}
