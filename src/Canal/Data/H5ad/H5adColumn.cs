using System.Globalization;
using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>Reads one column of annotations as text, whatever its encoding.</summary>
/// <remarks>Source: the on-disk format of AnnData (encodings array, string-array, categorical, nullable-*) and its predecessors.</remarks>
internal static class H5adColumn
{
    private const int RowsAtATime = 1 << 14;
    private const long MostTextBytes = 4L << 30;

    /// <summary>Number of rows of a column, without reading it.</summary>
    public static long CountRows(Hdf5Group table, string name)
    {
        using var column = table.Open(name);
        if (column is Hdf5Dataset values) return values.Count;
        var group = (Hdf5Group)column;
        using var part = group.OpenDataset(group.Has("codes") ? "codes" : "values");
        return part.Count;
    }

    /// <summary>Reads a column of a table that is a group; <paramref name="oldCategories"/> are those kept apart from their codes (AnnData 0.7), or null.</summary>
    public static string?[] Read(Hdf5Group table, string name, string?[]? oldCategories)
    {
        using var column = table.Open(name);
        if (column is Hdf5Dataset plain) return Read(plain, null, plain.HasAttribute("categories") ? oldCategories : null);
        var group = (Hdf5Group)column;
        var encoding = group.ReadAttributeString("encoding-type");
        if (encoding == "categorical" || (encoding is null && group.Has("codes") && group.Has("categories")))
        {
            var categories = Read(group, "categories", null);
            using var codes = group.OpenDataset("codes");
            return Decode(codes, null, categories);
        }
        if (encoding is not null && encoding.StartsWith("nullable-", StringComparison.Ordinal))
        {
            var values = Read(group, "values", null);
            if (!group.Has("mask")) return values;
            using var mask = group.OpenDataset("mask");
            Mask(mask, values);
            return values;
        }
        throw new Hdf5RefusedException($"{column.Location}: is encoded as '{encoding ?? "an unnamed group"}', which is not read as a column; choose another column or convert it to text or categories");
    }

    /// <summary>Reads a dataset, or one field of a table of records.</summary>
    public static string?[] Read(Hdf5Dataset column, Hdf5Field? field, string?[]? categories)
    {
        var type = field?.Type ?? column.Type;
        if (categories is not null && type.Kind == Hdf5Kind.Integer) return Decode(column, field, categories);
        return type.Kind switch
        {
            Hdf5Kind.String => ReadTexts(column, field),
            Hdf5Kind.Integer => Convert<long>(column, field, column.Read, number => number.ToString(CultureInfo.InvariantCulture)),
            Hdf5Kind.Float => Convert<double>(column, field, column.Read, number => Text(number, type.Size)),
            Hdf5Kind.Boolean => Convert<sbyte>(column, field, column.Read, truth => truth != 0 ? "True" : "False"),
            _ => throw new Hdf5RefusedException($"{column.Location}: holds {type}, which is not read as a column; choose another column or convert it to text or categories"),
        };
    }

    private static string?[] Decode(Hdf5Dataset codes, Hdf5Field? field, string?[] categories)
    {
        if ((field?.Type ?? codes.Type).Kind != Hdf5Kind.Integer) throw new Hdf5RefusedException($"{codes.Location}: codes of categories are not whole numbers; the file is damaged, fetch or write it again");
        return Convert<long>(codes, field, codes.Read, code =>
            code == -1 ? null
            : code >= 0 && code < categories.Length ? categories[code]
            : throw new Hdf5RefusedException($"{codes.Location}: holds the code {code} but there are {categories.Length} categories; the file is damaged, fetch or write it again"));
    }

    private static void Mask(Hdf5Dataset mask, string?[] values)
    {
        if (mask.Count != values.Length) throw new Hdf5RefusedException($"{mask.Location}: has {mask.Count} entries for {values.Length} rows; the file is damaged, fetch or write it again");
        if (mask.Type.Kind != Hdf5Kind.Boolean) throw new Hdf5RefusedException($"{mask.Location}: holds {mask.Type}, not booleans; the file is damaged, fetch or write it again");
        var missing = new sbyte[values.Length];
        mask.Read(0, missing);
        for (var row = 0; row < values.Length; row++)
            if (missing[row] != 0) values[row] = null;
    }

    private static string?[] ReadTexts(Hdf5Dataset column, Hdf5Field? field)
    {
        var texts = new string?[column.Count];
        var block = new string[Math.Min(RowsAtATime, texts.Length)];
        long bytes = 0;
        for (var start = 0; start < texts.Length; start += block.Length)
        {
            var part = block.AsSpan(0, Math.Min(block.Length, texts.Length - start));
            column.Read(start, part, field);
            foreach (var text in part) bytes += 2L * text.Length;
            if (bytes > MostTextBytes) throw new Hdf5RefusedException($"{column.Location}: holds more than {MostTextBytes >> 30} GiB of text, which is not accepted as annotation");
            part.CopyTo(texts.AsSpan(start)!);
        }
        return texts;
    }

    private delegate void Reader<T>(long start, Span<T> into, Hdf5Field? field);

    private static string?[] Convert<T>(Hdf5Dataset column, Hdf5Field? field, Reader<T> read, Func<T, string?> text)
    {
        var texts = new string?[column.Count];
        var block = new T[Math.Min(RowsAtATime, texts.Length)];
        for (var start = 0; start < texts.Length; start += block.Length)
        {
            var part = block.AsSpan(0, Math.Min(block.Length, texts.Length - start));
            read(start, part, field);
            for (var row = 0; row < part.Length; row++) texts[start + row] = text(part[row]);
        }
        return texts;
    }

    /// <summary>The shortest text that reads back as the stored number; NaN is missing.</summary>
    private static string? Text(double number, int storedBytes) =>
        double.IsNaN(number) ? null
        : storedBytes == 2 ? ((Half)number).ToString(CultureInfo.InvariantCulture)
        : storedBytes == 4 ? ((float)number).ToString(CultureInfo.InvariantCulture)
        : number.ToString(CultureInfo.InvariantCulture);
}
