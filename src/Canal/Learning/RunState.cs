using System.Globalization;
using System.Text.Json;
using Canal.Models;

namespace Canal.Learning;

/// <summary>One epoch's result, as the log and the model's provenance hold it.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Steps">Gradient steps taken so far, this epoch included.</param>
/// <param name="Rate">Learning rate of its last step.</param>
/// <param name="Loss">Mean training loss (with distillation).</param>
/// <param name="Distillation">The distillation term in it.</param>
/// <param name="ValidationAccuracy">0 to 1; NaN without validation cells.</param>
/// <param name="ValidationLoss">Mean loss on validation cells; NaN without any.</param>
public sealed record EpochRecord(int Epoch, long Steps, double Rate, double Loss, double Distillation, double ValidationAccuracy, double ValidationLoss);

/// <summary>Everything that a training run needs to go on with the same bits: counters, parameters, moments, the best so far. No clock, no machine.</summary>
internal sealed record RunState
{
    private const string Format = "canal-run-1";

    /// <summary>Settings and inputs that the state belongs to: name and value.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; }

    /// <summary>Complete epochs.</summary>
    public required int Epochs { get; init; }

    /// <summary>Steps done in the epoch under way.</summary>
    public required int StepsInEpoch { get; init; }

    /// <summary>Gradient steps so far: Adam's t.</summary>
    public required long Steps { get; init; }

    /// <summary>Index in <see cref="History"/> of the best epoch, -1 before any.</summary>
    public required int BestIndex { get; init; }

    /// <summary>Results of the complete epochs.</summary>
    public required IReadOnlyList<EpochRecord> History { get; init; }

    /// <summary>Float32 vectors by name: parameters, moments, the best parameters, losses of the epoch under way.</summary>
    public required IReadOnlyDictionary<string, float[]> Vectors { get; init; }

    /// <summary>Writes the state; a kill in between leaves the one before.</summary>
    public void Write(string path)
    {
        var counters = new Counters(Epochs, StepsInEpoch, Steps, BestIndex, [.. History.Select(Row)]);
        var metadata = new Dictionary<string, string>
        {
            ["format"] = Format,
            ["settings"] = JsonSerializer.Serialize(Settings),
            ["counters"] = JsonSerializer.Serialize(counters),
        };
        SafetensorsWriter.Write(path, [.. Vectors.Select(v => SafetensorsTensor.Of(v.Key, [v.Value.Length], v.Value))], metadata);
    }

    /// <summary>Reads a state, or returns null where there is none.</summary>
    /// <exception cref="UserException">The file is damaged, or belongs to other settings; the message says which differ.</exception>
    public static RunState? Read(string path, IReadOnlyList<KeyValuePair<string, string>> settings)
    {
        if (!File.Exists(path)) return null;
        using var reader = SafetensorsReader.Open(path);
        if (!reader.Metadata.TryGetValue("format", out var format) || format != Format)
        {
            throw new UserException($"{path} was written by another version; delete {Path.GetDirectoryName(path)} or use --restart.");
        }
        try
        {
            var stored = JsonSerializer.Deserialize<List<KeyValuePair<string, string>>>(reader.Metadata["settings"])!;
            Compare(path, stored, settings);
            var counters = JsonSerializer.Deserialize<Counters>(reader.Metadata["counters"])!;
            return new RunState
            {
                Settings = stored,
                Epochs = counters.Epochs,
                StepsInEpoch = counters.StepsInEpoch,
                Steps = counters.Steps,
                BestIndex = counters.BestIndex,
                History = [.. counters.History.Select(Record)],
                Vectors = reader.Entries.Keys.ToDictionary(name => name, reader.ReadSingles, StringComparer.Ordinal),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or NullReferenceException or IndexOutOfRangeException or OverflowException or ArgumentException)
        {
            throw Damaged(path, e);
        }
    }

    /// <summary>What to say of a state that cannot be used.</summary>
    public static UserException Damaged(string path, Exception cause) => new($"{path} is damaged; delete {Path.GetDirectoryName(path)} or use --restart.", cause);

    private static void Compare(string path, List<KeyValuePair<string, string>> stored, IReadOnlyList<KeyValuePair<string, string>> settings)
    {
        var before = stored.ToDictionary(s => s.Key, s => s.Value, StringComparer.Ordinal);
        var now = settings.ToDictionary(s => s.Key, s => s.Value, StringComparer.Ordinal);
        var different = now.Keys.Union(before.Keys).Where(k => before.GetValueOrDefault(k, "absent") != now.GetValueOrDefault(k, "absent")).Order(StringComparer.Ordinal).ToList();
        if (different.Count == 0) return;
        var shown = string.Join("; ", different.Take(3).Select(k => $"{k} was {before.GetValueOrDefault(k, "absent")}, is {now.GetValueOrDefault(k, "absent")}"));
        throw new UserException(
            $"{Path.GetDirectoryName(path)} holds an unfinished run with other settings ({shown}{(different.Count > 3 ? "; ..." : "")}). Repeat its command, delete the folder, or use --restart.");
    }

    // Doubles as text in the shortest form that reads back to the same bits; NaN has no place in JSON.
    private static string[] Row(EpochRecord e) =>
        [Text(e.Epoch), Text(e.Steps), Text(e.Rate), Text(e.Loss), Text(e.Distillation), Text(e.ValidationAccuracy), Text(e.ValidationLoss)];

    private static EpochRecord Record(string[] row) => new(
        int.Parse(row[0], CultureInfo.InvariantCulture), long.Parse(row[1], CultureInfo.InvariantCulture), Number(row[2]), Number(row[3]), Number(row[4]), Number(row[5]), Number(row[6]));

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private sealed record Counters(int Epochs, int StepsInEpoch, long Steps, int BestIndex, string[][] History);
}
