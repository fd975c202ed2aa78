using System.Globalization;
using Canal.Cli.Terminal;
using Canal.Evaluation;
using Canal.Learning;

namespace Canal.Cli.Commands;

/// <summary>What a stream's run says to people: the accuracy matrix, derived measures a variant, novelty.</summary>
internal static class StreamTables
{
    /// <summary>Writes all tables.</summary>
    public static void Write(TextWriter output, StreamOutcome outcome, string folder)
    {
        if (outcome.Measures.Simulated) output.WriteLine("These cells, or those that the base model was made from, are simulated.");
        var full = outcome.Measures.Means[0];
        WriteMatrix(output, full, outcome.Variants.Where(v => v.Name == full.Variant).ToList());
        WriteVariants(output, outcome.Measures);
        WriteNovelty(output, outcome.Variants.Where(v => v.Name == full.Variant).ToList());
        output.WriteLine($"Written: {SafeText.OneLine(folder)} (matrix.json, matrix.csv, a model and a log a stage)");
    }

    private static void WriteMatrix(TextWriter output, StreamRun mean, List<VariantScores> runs)
    {
        var (stages, tests) = (mean.Accuracy.Stages, mean.Accuracy.Tests);
        TextTable.Write(
            output,
            ["accuracy / macro-F1, %", .. tests.Select(t => t.Name + (t.Stage is null ? " (unseen)" : "")), "validation", "epochs", "time"],
            Enumerable.Range(1, stages.Count).Select(stage => (IReadOnlyList<string>)
            [
                $"after stage {stage}, {stages[stage - 1]}",
                .. Enumerable.Range(0, tests.Count).Select(test => Pair(mean.Accuracy[stage, test], mean.MacroF1[stage, test], tests[test].Stage > stage)),
                Percent(Mean(runs.Select(r => r.Stages[stage - 1].ValidationAccuracy))),
                Mean(runs.Select(r => (double?)r.Stages[stage - 1].Epochs))?.ToString("0.#", CultureInfo.InvariantCulture) ?? "-",
                Duration.Format(runs.Average(r => r.Stages[stage - 1].Seconds)),
            ]),
            runs.Count > 1 ? $"Mean of {runs.Count} seeds; in brackets: a stage not yet taught" : "In brackets: a stage not yet taught");
    }

    private static void WriteVariants(TextWriter output, StreamMeasures measures) => TextTable.Write(
        output,
        ["variant", "seeds", "average accuracy", "incremental", "forgetting", "backward transfer", "average macro-F1", "forward transfer"],
        measures.Runs.GroupBy(run => run.Variant).Select(group =>
        {
            var (accuracy, f1) = (group.Select(r => r.Accuracy.Summarise()).ToList(), group.Select(r => r.MacroF1.Summarise()).ToList());
            return (IReadOnlyList<string>)
            [
                group.Key,
                accuracy.Count.ToString(CultureInfo.InvariantCulture),
                Spread(accuracy.Select(a => a.AverageAccuracy)),
                Spread(accuracy.Select(a => a.AverageIncrementalAccuracy)),
                Spread(accuracy.Select(a => a.Forgetting)),
                Spread(accuracy.Select(a => a.BackwardTransfer)),
                Spread(f1.Select(a => a.AverageAccuracy)),
                "n/a",
            ];
        }),
        measures.Runs.GroupBy(run => run.Variant).Any(group => group.Count() > 1) ? "Mean over the seeds and their standard deviation" : null);

    private static void WriteNovelty(TextWriter output, List<VariantScores> runs)
    {
        var rows = new List<IReadOnlyList<string>>();
        for (var stage = 0; stage < runs[0].Stages.Count; stage++)
        {
            for (var test = 0; test < runs[0].Stages[stage].Tests.Count; test++)
            {
                var scores = runs.Select(r => r.Stages[stage].Tests[test]).ToList();
                if (scores[0].Untaught == 0 || scores[0].Cells == 0) continue;
                rows.Add(
                [
                    runs[0].Stages[stage].Stage,
                    scores[0].Test,
                    scores[0].Untaught.ToString(CultureInfo.InvariantCulture),
                    scores[0].Cells.ToString(CultureInfo.InvariantCulture),
                    Mean(scores.Select(s => s.NoveltyAuroc))?.ToString("F3", CultureInfo.InvariantCulture) ?? "-",
                    Percent(Mean(scores.Select(s => s.NoveltyFpr95))),
                    Percent(Mean(scores.Select(s => s.KnownAccepted))),
                ]);
            }
        }
        if (rows.Count > 0) TextTable.Write(output, ["after stage", "test set", "novel cells", "known cells", "AUROC", "FPR at 95 % TPR", "known accepted"], rows, "Cells of types not yet taught");
    }

    private static string Pair(double? accuracy, double? f1, bool notYet)
    {
        if (accuracy is null) return "-";
        var pair = Percent(accuracy) + " / " + Percent(f1);
        return notYet ? "(" + pair + ")" : pair;
    }

    private static double? Mean(IEnumerable<double?> values)
    {
        var known = values.OfType<double>().ToList();
        return known.Count == 0 ? null : known.Average();
    }

    // Mean and, of several seeds, the standard deviation (divisor n - 1).
    private static string Spread(IEnumerable<double?> shares)
    {
        var known = shares.OfType<double>().Where(double.IsFinite).ToList();
        if (known.Count == 0) return "-";
        var mean = known.Average();
        var deviation = known.Count > 1 ? Math.Sqrt(known.Sum(v => (v - mean) * (v - mean)) / (known.Count - 1)) : 0;
        return known.Count == 1 ? Percent(mean) : string.Create(CultureInfo.InvariantCulture, $"{Percent(mean)} ± {100 * deviation:F1}");
    }

    private static string Percent(double? share) => share is { } value && double.IsFinite(value) ? (100 * value).ToString("F1", CultureInfo.InvariantCulture) : "-";
}
