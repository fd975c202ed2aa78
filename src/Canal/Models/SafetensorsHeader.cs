using System.Text.Json;
using System.Text.Unicode;

namespace Canal.Models;

/// <summary>One tensor of a safetensors file: what its header says of it.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Sizes, row-major; empty for a scalar.</param>
/// <param name="Begin">First byte, counted from the end of the header.</param>
/// <param name="End">One past the last byte, counted from the end of the header.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsType Type, IReadOnlyList<long> Shape, long Begin, long End)
{
    /// <summary>Number of elements.</summary>
    public long Count => (End - Begin) / Type.Bytes();
}

/// <summary>
/// The header of a safetensors file, checked as design.md ("Data") demands of untrusted files: valid UTF-8, no key twice, names, ranks and
/// counts capped, type x shape = length without overflow, and the tensors cover the rest of the file without gap or overlap.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Longest header accepted, in bytes: a vocabulary of 60,000 genes and a bank of 10,000 cells need about 2 MB.</summary>
    public const int LongestBytes = 64 << 20;

    private const int LongestName = 1024, HighestRank = 8, MostTensors = 100_000;
    private readonly Dictionary<string, SafetensorsEntry> entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> metadata = new(StringComparer.Ordinal);

    private SafetensorsHeader() { }

    /// <summary>Tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => entries;

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata;

    /// <summary>Reads a header.</summary>
    /// <param name="json">The header's bytes.</param>
    /// <param name="dataBytes">Bytes that follow it in the file.</param>
    /// <exception cref="FormatException">The header breaks a rule; the message says which.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataBytes)
    {
        if (json.IsEmpty || json[0] != (byte)'{') throw new FormatException("the header does not start with '{'");
        if (!Utf8.IsValid(json)) throw new FormatException("the header is not valid UTF-8");
        var header = new SafetensorsHeader();
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 4 });
            header.ReadObject(ref reader);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new FormatException("the header is not valid JSON", error);
        }
        header.CheckLayout(dataBytes);
        return header;
    }

    private void ReadObject(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartObject);
        var hasMetadata = false;
        while (NextKey(ref reader) is { } name)
        {
            if (name == "__metadata__")
            {
                if (hasMetadata) throw new FormatException("the header holds __metadata__ twice");
                hasMetadata = true;
                ReadMetadata(ref reader);
                continue;
            }
            if (name.Length > LongestName) throw new FormatException($"a tensor's name is longer than {LongestName} characters");
            if (entries.Count == MostTensors) throw new FormatException($"there are more than {MostTensors} tensors");
            if (!entries.TryAdd(name, ReadEntry(ref reader, name))) throw new FormatException($"the tensor {Quote(name)} occurs twice");
        }
        if (reader.Read()) throw new FormatException("the header goes on after its end");
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartObject);
        while (NextKey(ref reader) is { } key)
        {
            Expect(ref reader, JsonTokenType.String);
            if (!metadata.TryAdd(key, reader.GetString()!)) throw new FormatException($"the metadata hold {Quote(key)} twice");
        }
    }

    private static SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        Expect(ref reader, JsonTokenType.StartObject);
        string? type = null;
        List<long>? shape = null, offsets = null;
        while (NextKey(ref reader) is { } key)
        {
            switch (key)
            {
                case "dtype" when type is null:
                    Expect(ref reader, JsonTokenType.String);
                    type = reader.GetString();
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, name, HighestRank);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, name, 2);
                    break;
                default:
                    throw new FormatException($"the tensor {Quote(name)} has {Quote(key)} twice or where it does not belong");
            }
        }
        if (type is null || shape is null || offsets is not { Count: 2 }) throw new FormatException($"the tensor {Quote(name)} lacks dtype, shape or two data_offsets");
        if (!Enum.TryParse<SafetensorsType>(type, out var parsed) || parsed.ToString() != type) throw new FormatException($"the tensor {Quote(name)} has the unknown type {Quote(type)}");
        var entry = new SafetensorsEntry(name, parsed, shape, offsets[0], offsets[1]);
        CheckLength(entry);
        return entry;
    }

    private static List<long> ReadNumbers(ref Utf8JsonReader reader, string name, int most)
    {
        Expect(ref reader, JsonTokenType.StartArray);
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
            {
                throw new FormatException($"the tensor {Quote(name)} has a size or offset that is not a whole number of at least 0");
            }
            if (numbers.Count == most) throw new FormatException($"the tensor {Quote(name)} has more than {most} sizes or offsets");
            numbers.Add(number);
        }
        return numbers;
    }

    private static void CheckLength(SafetensorsEntry entry)
    {
        var bytes = (long)entry.Type.Bytes();
        try
        {
            // Zeros last: a size of 0 must not hide an overflow of the others.
            foreach (var size in entry.Shape.Where(size => size != 0)) bytes = checked(bytes * size);
        }
        catch (OverflowException error)
        {
            throw new FormatException($"the tensor {Quote(entry.Name)} is too large", error);
        }
        if (entry.Shape.Contains(0)) bytes = 0;
        if (entry.End < entry.Begin || entry.End - entry.Begin != bytes)
        {
            throw new FormatException($"the tensor {Quote(entry.Name)} needs {bytes} bytes and its offsets are {entry.Begin} to {entry.End}");
        }
    }

    private void CheckLayout(long dataBytes)
    {
        var end = 0L;
        foreach (var entry in entries.Values.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End))
        {
            if (entry.Begin != end) throw new FormatException($"the tensor {Quote(entry.Name)} starts at byte {entry.Begin}, not at {end} where the one before it ends");
            end = entry.End;
        }
        if (end != dataBytes) throw new FormatException($"the tensors need {end} bytes and the file holds {dataBytes}");
    }

    private static string? NextKey(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType == JsonTokenType.EndObject) return null;
        return reader.TokenType == JsonTokenType.PropertyName ? reader.GetString() : throw new FormatException("the header is not the object it should be");
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type) throw new FormatException("the header is not the object it should be");
    }

    private static string Quote(string name) => '"' + new string([.. (name.Length > 60 ? name[..60] + "..." : name).Where(c => !char.IsControl(c))]) + '"';
}
