namespace Canal.Data.H5ad;

/// <summary>A column of annotations to be written.</summary>
/// <param name="Name">The column's name; no slash.</param>
public abstract record TableColumn(string Name)
{
    /// <summary>Number of rows.</summary>
    public abstract int Rows { get; }
}

/// <summary>A column of categories.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Categories">The categories, distinct.</param>
/// <param name="Codes">One a row, into <paramref name="Categories"/>; -1 where missing.</param>
public sealed record CategoryColumn(string Name, IReadOnlyList<string> Categories, int[] Codes) : TableColumn(Name)
{
    /// <inheritdoc/>
    public override int Rows => Codes.Length;

    /// <summary>Makes the column from its values; the categories in ordinal order, null is missing.</summary>
    public static CategoryColumn FromValues(string name, IReadOnlyList<string?> values)
    {
        var categories = values.OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var codes = categories.Select((category, code) => (category, code)).ToDictionary(pair => pair.category, pair => pair.code, StringComparer.Ordinal);
        return new CategoryColumn(name, categories, [.. values.Select(value => value is null ? -1 : codes[value])]);
    }
}

/// <summary>A column of numbers.</summary>
/// <typeparam name="T">float, double, int or long.</typeparam>
/// <param name="Name">The column's name.</param>
/// <param name="Values">One a row; NaN where missing.</param>
public sealed record NumberColumn<T>(string Name, T[] Values) : TableColumn(Name), INumberColumn where T : unmanaged
{
    /// <inheritdoc/>
    public override int Rows => Values.Length;

    Interop.Hdf5.Hdf5Dataset INumberColumn.Write(Interop.Hdf5.Hdf5Group table) => table.Write<T>(Name, Values);
}

/// <summary>A column of text, each row its own.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Values">One a row.</param>
public sealed record TextColumn(string Name, IReadOnlyList<string> Values) : TableColumn(Name)
{
    /// <inheritdoc/>
    public override int Rows => Values.Count;
}

/// <summary>A column of booleans.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Values">One a row.</param>
public sealed record BooleanColumn(string Name, bool[] Values) : TableColumn(Name)
{
    /// <inheritdoc/>
    public override int Rows => Values.Length;
}

/// <summary>A table of annotations to be written: <c>obs</c> or <c>var</c>.</summary>
/// <param name="Index">Name of each row.</param>
/// <param name="Columns">The columns, all as long as the index.</param>
public sealed record AnnotationTable(IReadOnlyList<string> Index, IReadOnlyList<TableColumn> Columns);

/// <summary>What numbers of any type have in common when written.</summary>
internal interface INumberColumn
{
    /// <summary>Writes the numbers as a dataset.</summary>
    Interop.Hdf5.Hdf5Dataset Write(Interop.Hdf5.Hdf5Group table);
}
