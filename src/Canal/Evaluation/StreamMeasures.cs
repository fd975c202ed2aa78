using System.Text;
using System.Text.Json;

namespace Canal.Evaluation;

/// <summary>The matrices of one run over a stream.</summary>
/// <param name="Variant">What was run: <c>full</c>, an ablation, a baseline.</param>
/// <param name="Seed">Its seed.</param>
/// <param name="Accuracy">Accuracy.</param>
/// <param name="MacroF1">Macro-F1.</param>
/// <param name="AdjustedRandIndex">Adjusted Rand index.</param>
public sealed record StreamRun(string Variant, ulong Seed, AccuracyMatrix Accuracy, AccuracyMatrix MacroF1, AccuracyMatrix AdjustedRandIndex)
{
    /// <summary>An empty run.</summary>
    public static StreamRun Empty(string variant, ulong seed, IReadOnlyList<string> stages, IReadOnlyList<StreamTest> tests) =>
        new(variant, seed, new AccuracyMatrix(stages, tests), new AccuracyMatrix(stages, tests), new AccuracyMatrix(stages, tests));

    /// <summary>Enters the scores of a test set after a stage (from 1).</summary>
    public void Set(int stage, int test, ClassificationScores scores) =>
        (Accuracy[stage, test], MacroF1[stage, test], AdjustedRandIndex[stage, test]) = (scores.Accuracy, scores.MacroF1, scores.AdjustedRandIndex);

    /// <summary>Enters what another run of the same stream got on a test set after a stage (from 1).</summary>
    public void CopyFrom(StreamRun other, int stage, int test) => (Accuracy[stage, test], MacroF1[stage, test], AdjustedRandIndex[stage, test]) =
        (other.Accuracy[stage, test], other.MacroF1[stage, test], other.AdjustedRandIndex[stage, test]);
}

/// <summary>All runs over a stream, to be written as <c>matrix.json</c> and <c>matrix.csv</c>: a seed and the mean of each variant.</summary>
/// <param name="Stream">Name of the stream.</param>
/// <param name="Runs">The runs, those of a variant with different seeds.</param>
public sealed record StreamMeasures(string Stream, IReadOnlyList<StreamRun> Runs)
{
    private static readonly JsonWriterOptions Options = new() { Indented = true };

    /// <summary>Whether any of the cells is simulated; both files then say so.</summary>
    public bool Simulated { get; init; }

    /// <summary>The mean over the seeds of each variant, in order of first occurrence; the seed of a mean is 0.</summary>
    public IReadOnlyList<StreamRun> Means => [.. Runs.GroupBy(run => run.Variant).Select(group => new StreamRun(
        group.Key, 0,
        AccuracyMatrix.Mean([.. group.Select(run => run.Accuracy)]),
        AccuracyMatrix.Mean([.. group.Select(run => run.MacroF1)]),
        AccuracyMatrix.Mean([.. group.Select(run => run.AdjustedRandIndex)])))];

    /// <summary>Everything as JSON.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("stream", Stream);
            json.WriteBoolean("simulated", Simulated);
            json.WriteStartArray("runs");
            foreach (var run in Runs) WriteRun(json, run, mean: false);
            json.WriteEndArray();
            json.WriteStartArray("means");
            foreach (var run in Means) WriteRun(json, run, mean: true);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    /// <summary>Everything as comma-separated text, a number a line; derived numbers have no test and no stage, and means no seed.</summary>
    public string ToCsv()
    {
        var simulated = Simulated ? "true" : "false";
        var text = new StringBuilder(Csv.Line("stream", "variant", "seed", "measure", "after_stage", "test", "value", "simulated"));
        foreach (var (run, seed) in Runs.Select(run => (run, run.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture))).Concat(Means.Select(run => (run, "mean"))))
        {
            foreach (var (measure, matrix) in Measures(run))
            {
                for (var stage = 1; stage <= matrix.Stages.Count; stage++)
                {
                    for (var test = 0; test < matrix.Tests.Count; test++)
                    {
                        text.Append(Csv.Line(Csv.Field(Stream), Csv.Field(run.Variant), seed, measure, Csv.Field(matrix.Stages[stage - 1]), Csv.Field(matrix.Tests[test].Name), Csv.Field(matrix[stage, test]), simulated));
                    }
                }
                foreach (var (name, value) in Derived(matrix)) text.Append(Csv.Line(Csv.Field(Stream), Csv.Field(run.Variant), seed, $"{measure}.{name}", "", "", Csv.Field(value), simulated));
            }
        }
        return text.ToString();
    }

    /// <summary>Writes <c>matrix.json</c> and <c>matrix.csv</c> into a folder, each whole or not at all.</summary>
    public void Write(string folder)
    {
        AtomicFile.Write(Path.Combine(folder, "matrix.json"), stream => stream.Write(Encoding.UTF8.GetBytes(ToJson())));
        AtomicFile.Write(Path.Combine(folder, "matrix.csv"), stream => stream.Write(Encoding.UTF8.GetBytes(ToCsv())));
    }

    private static (string Name, AccuracyMatrix Matrix)[] Measures(StreamRun run) =>
        [("accuracy", run.Accuracy), ("macro_f1", run.MacroF1), ("adjusted_rand_index", run.AdjustedRandIndex)];

    private static (string Name, double? Value)[] Derived(AccuracyMatrix matrix)
    {
        var summary = matrix.Summarise();
        return
        [
            ("average", summary.AverageAccuracy), ("average_incremental", summary.AverageIncrementalAccuracy), ("forgetting", summary.Forgetting),
            ("backward_transfer", summary.BackwardTransfer), ("learning", summary.LearningAccuracy), ("forward_transfer", null),
        ];
    }

    private static void WriteRun(Utf8JsonWriter json, StreamRun run, bool mean)
    {
        json.WriteStartObject();
        json.WriteString("variant", run.Variant);
        if (!mean) json.WriteNumber("seed", run.Seed);
        json.WriteStartArray("stages");
        foreach (var stage in run.Accuracy.Stages) json.WriteStringValue(stage);
        json.WriteEndArray();
        json.WriteStartArray("tests");
        foreach (var test in run.Accuracy.Tests)
        {
            json.WriteStartObject();
            json.WriteString("name", test.Name);
            if (test.Stage is { } stage) json.WriteNumber("stage", stage);
            else json.WriteNull("stage");
            json.WriteEndObject();
        }
        json.WriteEndArray();
        foreach (var (name, matrix) in Measures(run)) WriteMatrix(json, name, matrix);
        json.WriteEndObject();
    }

    private static void WriteMatrix(Utf8JsonWriter json, string name, AccuracyMatrix matrix)
    {
        json.WriteStartObject(name);
        json.WriteStartArray("matrix");
        for (var stage = 1; stage <= matrix.Stages.Count; stage++)
        {
            json.WriteStartArray();
            for (var test = 0; test < matrix.Tests.Count; test++) WriteNumber(json, matrix[stage, test]);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        foreach (var (key, value) in Derived(matrix))
        {
            json.WritePropertyName(key);
            WriteNumber(json, value);
        }
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, double? value)
    {
        if (value is { } number) json.WriteNumberValue(number);
        else json.WriteNullValue();
    }
}
