namespace Canal.Data.H5ad.Isolation;

/// <summary>What annotation adds to a file, on its way to the process that writes it. Embeddings stay behind: their rows are asked for.</summary>
internal static class AdditionsWire
{
    private enum Kind : byte
    {
        Categories,
        Floats,
        Doubles,
        Texts,
        Booleans,
        Text,
        Integer,
        Dictionary,
    }

    /// <summary>Fetches rows of an embedding: which, from which cell, its width.</summary>
    public delegate void RowFetcher(int embedding, int first, int width, Span<float> rows);

    public static void Write(BinaryWriter to, H5adAdditions additions)
    {
        to.Write(additions.Obs.Count);
        foreach (var column in additions.Obs)
        {
            to.Write(column.Name);
            WriteColumn(to, column);
        }
        to.WriteText(additions.ReplacePrefix);
        to.Write(additions.Obsm.Count);
        foreach (var embedding in additions.Obsm)
        {
            to.Write(embedding.Name);
            to.Write(embedding.Width);
        }
        WriteDictionary(to, additions.Uns);
    }

    public static H5adAdditions Read(BinaryReader from, RowFetcher fetch)
    {
        var obs = new TableColumn[from.ReadInt32()];
        for (var index = 0; index < obs.Length; index++) obs[index] = ReadColumn(from, from.ReadString());
        var prefix = from.ReadText();
        var obsm = new CellEmbedding[from.ReadInt32()];
        for (var index = 0; index < obsm.Length; index++)
        {
            var (place, name, width) = (index, from.ReadString(), from.ReadInt32());
            obsm[index] = new CellEmbedding(name, width, (first, rows) => fetch(place, first, width, rows));
        }
        return new H5adAdditions { Obs = obs, ReplacePrefix = prefix, Obsm = obsm, Uns = ReadDictionary(from) };
    }

    private static void WriteColumn(BinaryWriter to, TableColumn column)
    {
        switch (column)
        {
            case CategoryColumn categories:
                to.Write((byte)Kind.Categories);
                to.WriteTexts(categories.Categories);
                WriteArray<int>(to, categories.Codes);
                break;
            case NumberColumn<float> numbers:
                to.Write((byte)Kind.Floats);
                WriteArray<float>(to, numbers.Values);
                break;
            case NumberColumn<double> numbers:
                to.Write((byte)Kind.Doubles);
                WriteArray<double>(to, numbers.Values);
                break;
            case TextColumn texts:
                to.Write((byte)Kind.Texts);
                to.WriteTexts(texts.Values);
                break;
            case BooleanColumn truths:
                to.Write((byte)Kind.Booleans);
                WriteArray<bool>(to, truths.Values);
                break;
            default:
                throw new ArgumentException($"A column of type {column.GetType().Name} cannot be sent.", nameof(column));
        }
    }

    private static TableColumn ReadColumn(BinaryReader from, string name) => (Kind)from.ReadByte() switch
    {
        Kind.Categories => new CategoryColumn(name, from.ReadNames(), ReadArray<int>(from)),
        Kind.Floats => new NumberColumn<float>(name, ReadArray<float>(from)),
        Kind.Doubles => new NumberColumn<double>(name, ReadArray<double>(from)),
        Kind.Texts => new TextColumn(name, from.ReadNames()),
        Kind.Booleans => new BooleanColumn(name, ReadArray<bool>(from)),
        var kind => throw new InvalidDataException($"a column of kind {kind}"),
    };

    private static void WriteDictionary(BinaryWriter to, IReadOnlyDictionary<string, object> values)
    {
        to.Write(values.Count);
        foreach (var (name, value) in values)
        {
            to.Write(name);
            WriteValue(to, value);
        }
    }

    private static Dictionary<string, object> ReadDictionary(BinaryReader from)
    {
        var values = new Dictionary<string, object>(StringComparer.Ordinal);
        for (var left = from.ReadInt32(); left > 0; left--) values.Add(from.ReadString(), ReadValue(from));
        return values;
    }

    /// <summary>The kinds of value that <see cref="H5adEncoding.WriteValue"/> knows.</summary>
    private static void WriteValue(BinaryWriter to, object value)
    {
        switch (value)
        {
            case string text:
                to.Write((byte)Kind.Text);
                to.Write(text);
                break;
            case bool truth:
                to.Write((byte)Kind.Booleans);
                to.Write(truth);
                break;
            case int or long:
                to.Write((byte)Kind.Integer);
                to.Write(Convert.ToInt64(value, null));
                break;
            case float or double:
                to.Write((byte)Kind.Floats);
                to.Write(Convert.ToDouble(value, null));
                break;
            case double[] numbers:
                to.Write((byte)Kind.Doubles);
                WriteArray<double>(to, numbers);
                break;
            case IReadOnlyList<string> texts:
                to.Write((byte)Kind.Texts);
                to.WriteTexts(texts);
                break;
            case IReadOnlyDictionary<string, object> children:
                to.Write((byte)Kind.Dictionary);
                WriteDictionary(to, children);
                break;
            default:
                throw new ArgumentException($"A value of type {value.GetType().Name} cannot be sent.", nameof(value));
        }
    }

    private static object ReadValue(BinaryReader from) => (Kind)from.ReadByte() switch
    {
        Kind.Text => from.ReadString(),
        Kind.Booleans => from.ReadBoolean(),
        Kind.Integer => from.ReadInt64(),
        Kind.Floats => from.ReadDouble(),
        Kind.Doubles => ReadArray<double>(from),
        Kind.Texts => from.ReadNames(),
        Kind.Dictionary => ReadDictionary(from),
        var kind => throw new InvalidDataException($"a value of kind {kind}"),
    };

    private static void WriteArray<T>(BinaryWriter to, T[] values) where T : unmanaged
    {
        to.Write(values.Length);
        to.WriteNumbers<T>(values);
    }

    private static T[] ReadArray<T>(BinaryReader from) where T : unmanaged
    {
        var values = new T[from.ReadInt32()];
        from.ReadNumbers<T>(values);
        return values;
    }
}
