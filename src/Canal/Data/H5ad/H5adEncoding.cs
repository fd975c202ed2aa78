using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>Writes annotations exactly as AnnData 0.8 and later encode them.</summary>
/// <remarks>Source: anndata's on-disk format specification; encoding-type and encoding-version on every element.</remarks>
internal static class H5adEncoding
{
    /// <summary>Marks an element.</summary>
    public static void Mark(Hdf5Object element, string type, string version)
    {
        element.WriteAttribute("encoding-type", type);
        element.WriteAttribute("encoding-version", version);
    }

    /// <summary>Creates a group of named elements.</summary>
    public static Hdf5Group CreateDictionary(Hdf5Group parent, string name)
    {
        var group = parent.CreateGroup(name);
        Mark(group, "dict", "0.1.0");
        return group;
    }

    /// <summary>Writes a whole table as a new group.</summary>
    public static void WriteTable(Hdf5Group parent, string name, AnnotationTable table)
    {
        const string index = "_index";
        using var group = parent.CreateGroup(name);
        Mark(group, "dataframe", "0.2.0");
        group.WriteAttribute("_index", index);
        group.WriteAttribute("column-order", [.. table.Columns.Select(column => column.Name)]);
        WriteTexts(group, index, table.Index);
        foreach (var column in table.Columns) WriteColumn(group, column, table.Index.Count);
    }

    /// <summary>Writes one column into a table.</summary>
    public static void WriteColumn(Hdf5Group table, TableColumn column, int rows)
    {
        if (column.Rows != rows) throw new ArgumentException($"Column {column.Name} has {column.Rows} rows, the table {rows}.", nameof(column));
        switch (column)
        {
            case CategoryColumn categories:
                WriteCategories(table, categories);
                break;
            case TextColumn texts:
                WriteTexts(table, texts.Name, texts.Values);
                break;
            case BooleanColumn truths:
                using (var written = table.Write(truths.Name, truths.Values.AsSpan())) Mark(written, "array", "0.2.0");
                break;
            case INumberColumn numbers:
                using (var written = numbers.Write(table)) Mark(written, "array", "0.2.0");
                break;
            default:
                throw new ArgumentException($"A column of type {column.GetType().Name} cannot be written.", nameof(column));
        }
    }

    /// <summary>Writes unstructured values: text, numbers, booleans, lists of text or numbers, and dictionaries of these.</summary>
    public static void WriteValue(Hdf5Group parent, string name, object value)
    {
        switch (value)
        {
            case string text:
                using (var written = parent.WriteScalar(name, text)) Mark(written, "string", "0.2.0");
                break;
            case bool truth:
                using (var written = parent.WriteScalar(name, truth)) Mark(written, "numeric-scalar", "0.2.0");
                break;
            case int or long:
                using (var written = parent.WriteScalar(name, Convert.ToInt64(value, null))) Mark(written, "numeric-scalar", "0.2.0");
                break;
            case float or double:
                using (var written = parent.WriteScalar(name, Convert.ToDouble(value, null))) Mark(written, "numeric-scalar", "0.2.0");
                break;
            case double[] numbers:
                using (var written = parent.Write<double>(name, numbers)) Mark(written, "array", "0.2.0");
                break;
            case IReadOnlyList<string> texts:
                WriteTexts(parent, name, texts);
                break;
            case IReadOnlyDictionary<string, object> children:
                using (var group = CreateDictionary(parent, name))
                    foreach (var (key, child) in children) WriteValue(group, key, child);
                break;
            default:
                throw new ArgumentException($"{name}: a value of type {value.GetType().Name} cannot be written to uns.", nameof(value));
        }
    }

    /// <summary>Writes a list of texts.</summary>
    public static void WriteTexts(Hdf5Group parent, string name, IReadOnlyList<string> texts)
    {
        using var written = parent.Write(name, texts);
        Mark(written, "string-array", "0.2.0");
    }

    /// <summary>Codes as narrow as pandas makes them.</summary>
    private static void WriteCategories(Hdf5Group table, CategoryColumn column)
    {
        var count = column.Categories.Count;
        foreach (var code in column.Codes)
            if (code < -1 || code >= count) throw new ArgumentException($"Column {column.Name} holds the code {code} for {count} categories.", nameof(column));
        using var group = table.CreateGroup(column.Name);
        Mark(group, "categorical", "0.2.0");
        group.WriteAttribute("ordered", false);
        WriteTexts(group, "categories", column.Categories);
        using var codes = count <= sbyte.MaxValue ? group.Write<sbyte>("codes", Array.ConvertAll(column.Codes, code => (sbyte)code))
            : count <= short.MaxValue ? group.Write<short>("codes", Array.ConvertAll(column.Codes, code => (short)code))
            : group.Write<int>("codes", column.Codes);
        Mark(codes, "array", "0.2.0");
    }
}
