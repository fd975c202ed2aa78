using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Canal.Data;

namespace Canal.Models;

/// <summary>
/// Model files (method.md section 8): one .safetensors file with the weights under their PyTorch names, the example bank and novelty
/// calibration under <c>canal.</c>, and JSON strings in the metadata. Written whole or not at all; checked whole when read.
/// </summary>
public static class ModelFile
{
    private const string Format = "1";
    private const string FormatKey = "canal.format", ConfigurationKey = "canal.configuration", VocabularyKey = "canal.vocabulary";
    private const string PanelKey = "canal.panel", LibraryKey = "canal.library", ProvenanceKey = "canal.provenance";

    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>Replaces a file by a model. The same model gives the same bytes.</summary>
    /// <exception cref="UserException">The folder does not exist or may not be written to.</exception>
    /// <exception cref="MachineException">The disk is full or failed.</exception>
    public static void Save(AnnotationModel model, string path)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["format"] = "pt", // what PyTorch's loader of safetensors looks for
            [FormatKey] = Format,
            [ConfigurationKey] = JsonSerializer.Serialize(new Settings(model.Configuration, model.GeneEmbeddingIsFixed, model.Simulated), Json),
            [VocabularyKey] = JsonSerializer.Serialize(model.Panel.Vocabulary.Symbols, Json),
            [PanelKey] = JsonSerializer.Serialize(model.Panel.Genes, Json),
            [LibraryKey] = JsonSerializer.Serialize(model.Library.Names.Select((name, type) => new KnownType(name, model.Library.Stages[type])), Json),
            [ProvenanceKey] = JsonSerializer.Serialize(model.Provenance, Json),
        };
        var tensors = new List<SafetensorsTensor>();
        foreach (var specification in model.Configuration.Specify(model.Library.Count))
        {
            long[] shape = [.. Enumerable.Range(0, specification.Shape.Rank).Select(dimension => (long)specification.Shape[dimension])];
            tensors.Add(SafetensorsTensor.Of(specification.Name, shape, model.Weights[specification.Name]));
        }
        tensors.Add(SafetensorsTensor.Of(StateDict.RedrawCounter, [], new long[1]));
        ModelFileBank.Write(model.Bank, tensors, metadata);
        if (model.Novelty is { } novelty) ModelFileNovelty.Write(novelty, tensors, metadata);
        SafetensorsWriter.Write(path, tensors, metadata);
    }

    /// <summary>Reads a model.</summary>
    /// <exception cref="UserException">The file is missing, damaged, of a newer format, or no model; one line says which and what to do.</exception>
    public static AnnotationModel Load(string path)
    {
        using var reader = SafetensorsReader.Open(path);
        if (!reader.Metadata.TryGetValue(FormatKey, out var format))
        {
            throw new UserException($"{path}: these are weights without genes and cell types, not a Canal model; turn them into one with 'canal convert'.");
        }
        if (format != Format) throw new UserException($"{path}: a model of format {format}; this version of Canal reads format {Format}, use the version that wrote it.");
        if (!reader.Metadata.TryGetValue(SafetensorsReader.ChecksumKey, out var checksum)) throw Damaged(reader, "its checksum is missing");
        try
        {
            return Read(reader) with { Checksum = checksum };
        }
        catch (UserException error) when (!error.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw Damaged(reader, error.Message.TrimEnd('.'), error);
        }
        catch (Exception error) when (error is JsonException or ArgumentException or FormatException or OverflowException)
        {
            throw Damaged(reader, error.Message.Split('\n')[0].TrimEnd('.'), error);
        }
    }

    /// <summary>The checksum in a model file's metadata; null where the file is no Canal model.</summary>
    public static string? ChecksumOf(string path)
    {
        using var reader = SafetensorsReader.Open(path);
        return reader.Metadata.GetValueOrDefault(SafetensorsReader.ChecksumKey);
    }

    internal static T Parse<T>(SafetensorsReader reader, string key) =>
        JsonSerializer.Deserialize<T>(reader.Metadata.TryGetValue(key, out var text) ? text : throw new FormatException($"{key} is missing"), Json)
        ?? throw new FormatException($"{key} is empty");

    private static List<T> ParseList<T>(SafetensorsReader reader, string key) where T : class =>
        [.. Parse<List<T?>>(reader, key).Select(entry => entry ?? throw new FormatException($"{key} has an empty entry"))];

    private static AnnotationModel Read(SafetensorsReader reader)
    {
        var state = StateDict.Read(reader);
        var settings = Parse<Settings>(reader, ConfigurationKey);
        // Weights of a base model do not tell the sizes of the head to come.
        var told = state.Types > 0 ? state.Configuration : state.Configuration with { Manifold = settings.Model.Manifold, Representation = settings.Model.Representation };
        if (settings.Model != told) throw new FormatException("its configuration is not that of its weights");
        var known = ParseList<KnownType>(reader, LibraryKey);
        if (known.Count != state.Types) throw new FormatException($"it names {known.Count} cell types and its head has {state.Types}");
        var panel = new GenePanel(new GeneVocabulary(ParseList<string>(reader, VocabularyKey), reader.Path), Parse<List<int>>(reader, PanelKey));
        if (panel.Count != state.Configuration.Genes) throw new FormatException($"its panel has {panel.Count} genes and its weights {state.Configuration.Genes}");
        return new AnnotationModel
        {
            Configuration = settings.Model.Validated(),
            Panel = panel,
            Library = new CellTypeLibrary(known.Select(type => type.Name), known.Select(type => type.Stage)),
            Weights = state.Weights,
            Bank = ModelFileBank.Read(reader, state.Types, panel.Count),
            Novelty = ModelFileNovelty.Read(reader, state.Types, state.Configuration.Representation, panel.Count),
            Provenance = ParseList<StageRecord>(reader, ProvenanceKey),
            GeneEmbeddingIsFixed = settings.GeneEmbeddingIsFixed,
        };
    }

    private static UserException Damaged(SafetensorsReader reader, string reason, Exception? inner = null) =>
        new($"{reader.Path}: a damaged model: {reason}; fetch or make it again.", inner!);

    private sealed record Settings(ModelConfiguration Model, bool GeneEmbeddingIsFixed, bool Simulated);

    private sealed record KnownType(string Name, int Stage);
}
