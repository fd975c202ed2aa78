using System.Text.Json;
using System.Text.Json.Serialization;
using Canal.Evaluation;

namespace Canal.Learning;

/// <summary>The stages of one variant under one seed.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Name"><c>full</c>, or an ablation.</param>
/// <param name="Stages">One a stage, in order.</param>
public sealed record VariantScores(ulong Seed, string Name, IReadOnlyList<StageScores> Stages);

/// <summary>Everything a stream run found out.</summary>
/// <param name="Measures">The accuracy matrices and what is derived from them, as written to <c>matrix.json</c> and <c>matrix.csv</c>.</param>
/// <param name="Variants">The full method and its ablations, seed by seed.</param>
public sealed record StreamOutcome(StreamMeasures Measures, IReadOnlyList<VariantScores> Variants);

/// <summary>How a model does on one test set after one stage.</summary>
public sealed record TestScore
{
    /// <summary>Name of the test set.</summary>
    public required string Test { get; init; }

    /// <summary>Cells that count: those whose type some stage has taught.</summary>
    public required int Cells { get; init; }

    /// <summary>Cells whose type no stage has taught yet: left out of accuracy, what novelty is scored on.</summary>
    public required int Untaught { get; init; }

    /// <summary>Share of right labels; null without cells.</summary>
    public double? Accuracy { get; init; }

    /// <summary>Mean F1 over the types present among the true labels.</summary>
    public double? MacroF1 { get; init; }

    /// <summary>Adjusted Rand index of predicted against true types.</summary>
    public double? AdjustedRand { get; init; }

    /// <summary>Probability that an untaught cell's novelty is above a taught one's; null without untaught cells.</summary>
    public double? NoveltyAuroc { get; init; }

    /// <summary>Share of taught cells called novel at the threshold at which 95 % of untaught cells are; null without untaught cells.</summary>
    public double? NoveltyFpr95 { get; init; }

    /// <summary>Share of taught cells that are not called novel.</summary>
    public double? KnownAccepted { get; init; }
}

/// <summary>What is kept of one stage of one variant, beside its model.</summary>
public sealed record StageScores
{
    /// <summary>The stage's name.</summary>
    public required string Stage { get; init; }

    /// <summary>Hash of everything that decides the stage's result: a resumed stream goes on behind stages whose hash agrees.</summary>
    public required string Identity { get; init; }

    /// <summary>Steps of an epoch.</summary>
    public required int StepsPerEpoch { get; init; }

    /// <summary>Epochs run.</summary>
    public required int Epochs { get; init; }

    /// <summary>The epoch that was kept.</summary>
    public required int BestEpoch { get; init; }

    /// <summary>Its accuracy on validation cells; null without any.</summary>
    public double? ValidationAccuracy { get; init; }

    /// <summary>Which schedule ran.</summary>
    public required string Schedule { get; init; }

    /// <summary>Wall-clock seconds of the stage, this time round.</summary>
    public double Seconds { get; init; }

    /// <summary>One a test set, in the plan's order.</summary>
    public required IReadOnlyList<TestScore> Tests { get; init; }

    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        RespectNullableAnnotations = true,
    };

    /// <summary>Writes the scores, whole or not at all.</summary>
    internal void Write(string path) => AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, this, Options));

    /// <summary>Reads scores; null where there are none.</summary>
    /// <exception cref="UserException">The file is damaged.</exception>
    internal static StageScores? Read(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            using var stream = File.OpenRead(path);
            return JsonSerializer.Deserialize<StageScores>(stream, Options) ?? throw new JsonException("empty");
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new UserException($"{path} is damaged ({e.Message.Split('\n')[0].TrimEnd('.')}); delete it or use --restart.", e);
        }
    }
}
