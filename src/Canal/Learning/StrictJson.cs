using System.Globalization;
using System.Text.Json;

namespace Canal.Learning;

/// <summary>
/// Reads a JSON object key by key and refuses what nobody asked for: unknown and duplicate keys, wrong types and values out of range
/// are errors that name their path, so that a misspelt setting never runs with its default.
/// </summary>
internal sealed class StrictJson
{
    private readonly string file;
    private readonly string path;
    private readonly Dictionary<string, JsonElement> members = new(StringComparer.Ordinal);
    private readonly List<string> asked = [];

    public StrictJson(string file, string path, JsonElement element)
    {
        (this.file, this.path) = (file, path);
        if (element.ValueKind != JsonValueKind.Object) throw Wrong(path, element, "an object { ... }");
        foreach (var member in element.EnumerateObject())
        {
            var name = NameOf(path.Length == 0 ? "the file" : path, member);
            if (!members.TryAdd(name, member.Value)) throw Fail(Path(name), "is given twice; keep one");
        }
    }

    public bool Has(string key)
    {
        Ask(key);
        return members.TryGetValue(key, out var e) && e.ValueKind != JsonValueKind.Null;
    }

    public JsonElement Element(string key)
    {
        Ask(key);
        return members.TryGetValue(key, out var e) ? e : throw Fail(Path(key), "is missing");
    }

    public string Text(string key, string fallback) => Has(key) ? TextOf(Path(key), members[key]) : fallback;

    public string RequiredText(string key) => TextOf(Path(key), Element(key));

    public string? OptionalText(string key) => Has(key) ? TextOf(Path(key), members[key]) : null;

    public int Integer(string key, int fallback, int least, int most)
    {
        if (!Has(key)) return fallback;
        return members[key].ValueKind == JsonValueKind.Number && members[key].TryGetInt32(out var value) && value >= least && value <= most
            ? value
            : throw Wrong(Path(key), members[key], string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"));
    }

    public double Number(string key, double fallback)
    {
        if (!Has(key)) return fallback;
        return members[key].ValueKind == JsonValueKind.Number && members[key].TryGetDouble(out var value) && double.IsFinite(value)
            ? value
            : throw Wrong(Path(key), members[key], "a number");
    }

    public T Choice<T>(string key, T fallback, params (string Name, T Value)[] choices)
    {
        if (!Has(key)) return fallback;
        return ChoiceOf(Path(key), members[key], choices);
    }

    public T ChoiceOf<T>(string where, JsonElement element, params (string Name, T Value)[] choices)
    {
        var name = TextOf(where, element);
        foreach (var (known, value) in choices)
        {
            if (known == name) return value;
        }
        throw Fail(where, $"is \"{name}\"; it can be {string.Join(", ", choices.Select(c => c.Name))}");
    }

    public IEnumerable<(string Path, JsonElement Element)> List(string key)
    {
        if (!Has(key)) yield break;
        var list = members[key];
        if (list.ValueKind != JsonValueKind.Array) throw Wrong(Path(key), list, "a list [ ... ]");
        var index = 0;
        foreach (var element in list.EnumerateArray()) yield return (string.Create(CultureInfo.InvariantCulture, $"{Path(key)}[{index++}]"), element);
    }

    public StrictJson? Object(string key) => Has(key) ? new StrictJson(file, Path(key), members[key]) : null;

    public StrictJson At(string where, JsonElement element) => new(file, where, element);

    public string TextOf(string where, JsonElement element) => element.ValueKind == JsonValueKind.String
        ? Unescaped(where, element.GetString)
        : throw Wrong(where, element, "a text");

    /// <summary>A member's name; unlike that of <see cref="JsonProperty"/>, half a character escaped there is the user's mistake.</summary>
    public string NameOf(string where, JsonProperty member) => Unescaped(where, () => member.Name);

    /// <summary>Call when everything was read: what is left was not known.</summary>
    public void Finish()
    {
        foreach (var key in members.Keys)
        {
            if (!asked.Contains(key)) throw Fail(Path(key), $"is not known; known here: {string.Join(", ", asked.Order(StringComparer.Ordinal))}");
        }
    }

    public UserException Fail(string where, string what) => new($"{file}: {where} {what}.");

    public string Path(string key) => path.Length == 0 ? key : $"{path}.{key}";

    private UserException Wrong(string where, JsonElement element, string wanted)
    {
        var raw = element.GetRawText().ReplaceLineEndings(" ");
        return Fail(where.Length == 0 ? "the file" : where, $"is {(raw.Length > 40 ? string.Concat(raw.AsSpan(0, 40), "...") : raw)}, not {wanted}");
    }

    // JsonDocument takes half a surrogate pair as it is, and says so only when the text is asked for.
    private string Unescaped(string where, Func<string?> text)
    {
        try
        {
            return text()!;
        }
        catch (InvalidOperationException)
        {
            throw Fail(where, "holds half a character (\\ud800 to \\udfff without its other half); write the character itself");
        }
    }

    private void Ask(string key)
    {
        if (!asked.Contains(key)) asked.Add(key);
    }
}
