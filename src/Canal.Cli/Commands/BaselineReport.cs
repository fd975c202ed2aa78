using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Evaluation;

namespace Canal.Cli.Commands;

/// <summary>A fit of the baseline, with the features and the seed it had.</summary>
internal sealed record NamedFit(string Features, ulong Seed, BaselineFit Fit);

/// <summary>What the baseline says: scores after each stage, derived measures, the strengths chosen.</summary>
internal sealed record BaselineReport(
    string Stream, GenePanel Panel, bool Simulated, int Bank, IReadOnlyList<BaselineStage> Stages, IReadOnlyList<BaselineTest> Tests, StreamMeasures Measures, IReadOnlyList<NamedFit> Fits)
{
    /// <summary>A setting in one or two words.</summary>
    public static string Short(BaselineSetting setting) => StreamBaseline.NameOf(setting)["logistic regression, ".Length..];

    /// <summary>Name of a variant: that of the setting, with the features.</summary>
    public static string Variant(string features, string setting) => $"{setting}, {features} features";

    /// <summary>Tables for people.</summary>
    public void Write(TextWriter output)
    {
        if (Simulated) output.WriteLine("These cells are simulated.");
        output.WriteLine(SafeText.OneLine(string.Create(CultureInfo.InvariantCulture,
            $"{Stream}: multinomial logistic regression on {Panel.Count:N0} genes{(Stages.Count > 1 ? string.Create(CultureInfo.InvariantCulture, $", replay bank {Bank:N0} cells") : "")}")));
        var means = Measures.Means;
        var rows = new List<IReadOnlyList<string>>();
        for (var stage = 1; stage <= Stages.Count; stage++)
        {
            foreach (var run in means)
            {
                var fits = Fits.Where(f => f.Fit.Stage == stage && run.Variant == Variant(f.Features, StreamBaseline.NameOf(f.Fit.Setting))).ToList();
                // After the first stage all settings are the same fit.
                if (fits.Count == 0) continue;
                rows.Add(
                [
                    fits[0].Features,
                    Stages.Count == 1 || stage > 1 ? Short(fits[0].Fit.Setting) : "all the same",
                    Stages[stage - 1].Name,
                    fits[0].Fit.TrainingCells.ToString(CultureInfo.InvariantCulture),
                    string.Join('/', fits.Select(f => f.Fit.C).Distinct().Order().Select(c => c.ToString(CultureInfo.InvariantCulture))),
                    .. Enumerable.Range(0, Tests.Count).Select(test => Scores(run, stage, test)),
                ]);
            }
        }
        TextTable.Write(
            output,
            ["features", "trained on", "after stage", "training cells", "C", .. Tests.Select(t => t.Test.Name + (t.Test.Stage is null ? " (unseen)" : ""))],
            rows.OrderBy(row => row[0], StringComparer.Ordinal),
            "accuracy / macro-F1 / adjusted Rand index, %" + (Stages.Count > 1 ? "; in brackets: a stage not yet taught" : "") + "; cells of types not yet taught are left out");
        if (Stages.Count == 1)
        {
            WriteLeftOut(output);
            return;
        }
        TextTable.Write(output, ["variant", "average accuracy", "incremental", "forgetting", "backward transfer", "average macro-F1"], means.Select(run =>
        {
            var (accuracy, f1) = (run.Accuracy.Summarise(), run.MacroF1.Summarise());
            return (IReadOnlyList<string>)
            [
                run.Variant, Percent(accuracy.AverageAccuracy), Percent(accuracy.AverageIncrementalAccuracy), Percent(accuracy.Forgetting), Percent(accuracy.BackwardTransfer), Percent(f1.AverageAccuracy),
            ];
        }));
        output.WriteLine("Averages are over the stages' own test sets after the last stage; incremental: after every stage, over those taught.");
    }

    /// <summary>Everything as JSON: the matrices as <c>canal stream</c> writes them, the genes and the fits.</summary>
    public string ToJson()
    {
        var json = JsonNode.Parse(Measures.ToJson())!.AsObject();
        json["panel_genes"] = Panel.Count;
        json["bank"] = Bank;
        json["fits"] = JsonSerializer.SerializeToNode(
            Fits.Select(f => new { f.Features, f.Seed, Setting = Short(f.Fit.Setting), AfterStage = f.Fit.Stage, f.Fit.TrainingCells, f.Fit.C, f.Fit.Converged }), JsonOutput.Options);
        return json.ToJsonString(JsonOutput.Options) + "\n";
    }

    private void WriteLeftOut(TextWriter output)
    {
        var taught = Stages[0].Training.Labels.ToHashSet(StringComparer.Ordinal);
        var left = Tests[0].Cells.Labels.Where(label => !taught.Contains(label)).GroupBy(label => label, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        if (left.Count > 0) output.WriteLine(SafeText.OneLine("Left out: " + string.Join(", ", left.Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Count()} {g.Key}")))));
    }

    private string Scores(StreamRun run, int stage, int test)
    {
        if (run.Accuracy[stage, test] is not { } accuracy) return "-";
        var text = $"{Percent(accuracy)} / {Percent(run.MacroF1[stage, test])} / {Percent(run.AdjustedRandIndex[stage, test])}";
        return Tests[test].Test.Stage > stage ? "(" + text + ")" : text;
    }

    private static string Percent(double? share) => share is { } value && double.IsFinite(value) ? (100 * value).ToString("F1", CultureInfo.InvariantCulture) : "-";
}
