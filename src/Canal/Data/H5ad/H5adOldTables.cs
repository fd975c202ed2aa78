using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>Turns tables of records, as AnnData wrote them before 0.7, into groups of columns, to which more can be added.</summary>
internal static class H5adOldTables
{
    /// <summary>Rewrites <c>obs</c> where it is a dataset of records.</summary>
    public static void ModernizeObs(Hdf5Group root)
    {
        if (!root.Has("obs")) throw new Hdf5RefusedException("has no obs, so it is not an .h5ad; write it with AnnData");
        using var obs = root.Open("obs");
        if (obs is not Hdf5Dataset { Type.Kind: Hdf5Kind.Compound } records) return;
        using var uns = root.Has("uns") ? root.Open("uns") as Hdf5Group : null;
        root.Delete("obs"); // the records stay readable through the open dataset
        using var table = root.CreateGroup("obs");
        H5adEncoding.Mark(table, "dataframe", "0.2.0");
        var fields = records.Type.Fields;
        table.WriteAttribute("_index", fields[0].Name);
        table.WriteAttribute("column-order", [.. fields.Skip(1).Select(field => field.Name)]);
        foreach (var field in fields)
        {
            var oldCategories = field.Name + "_categories";
            if (field.Type.Kind == Hdf5Kind.Integer && field.Index > 0 && uns is not null && uns.Has(oldCategories))
            {
                var categories = H5adColumn.Read(uns, oldCategories, null);
                var codes = new long[records.Count];
                records.Read(0, codes, field);
                if (Array.TrueForAll(codes, code => code >= -1 && code < categories.Length))
                {
                    H5adEncoding.WriteColumn(table, new CategoryColumn(field.Name, [.. categories.Select(name => name ?? "")], Array.ConvertAll(codes, code => (int)code)), codes.Length);
                    // AnnData would apply the old categories to the new column; var may still need them.
                    if (!HasVarColumn(root, field.Name)) uns.Delete(oldCategories);
                    continue;
                }
            }
            using var written = table.WriteField(field.Name, records, field);
            H5adEncoding.Mark(written, field.Type.Kind == Hdf5Kind.String ? "string-array" : "array", "0.2.0");
        }
    }

    /// <summary>Rewrites <c>obsm</c> where it is a dataset of records with one array a field.</summary>
    public static void ModernizeObsm(Hdf5Group root)
    {
        if (!root.Has("obsm")) return;
        using var obsm = root.Open("obsm");
        if (obsm is not Hdf5Dataset { Type.Kind: Hdf5Kind.Compound } records) return;
        root.Delete("obsm");
        using var group = H5adEncoding.CreateDictionary(root, "obsm");
        foreach (var field in records.Type.Fields)
        {
            using var written = group.WriteField(field.Name, records, field);
            H5adEncoding.Mark(written, "array", "0.2.0");
        }
    }

    private static bool HasVarColumn(Hdf5Group root, string column)
    {
        if (!root.Has("var")) return false;
        using var table = H5adTable.Open(root, "var", root);
        return table.Columns.Contains(column);
    }
}
