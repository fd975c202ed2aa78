using Canal.Engine.Random;

namespace Canal.Evaluation;

/// <summary>Labelled cells for the baseline.</summary>
/// <param name="Features">Their features, of the stream's panel.</param>
/// <param name="Labels">Their types.</param>
public sealed record BaselineCells(SparseFeatures Features, IReadOnlyList<string> Labels);

/// <summary>A stage of a stream for the baseline.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Training">Its training cells, in file order.</param>
public sealed record BaselineStage(string Name, BaselineCells Training);

/// <summary>A test set for the baseline.</summary>
/// <param name="Test">Name and stage.</param>
/// <param name="Cells">Its cells.</param>
/// <param name="Merge">Types to be counted as another; null for none.</param>
public sealed record BaselineTest(StreamTest Test, BaselineCells Cells, IReadOnlyDictionary<string, string>? Merge = null);

/// <summary>What the baseline may train on after a stage.</summary>
public enum BaselineSetting : byte
{
    /// <summary>The training cells of all stages so far: the upper bound.</summary>
    Joint,

    /// <summary>The stage's own training cells: the lower bound; it can name only their types.</summary>
    CurrentOnly,

    /// <summary>The stage's own and a bank of earlier ones, drawn uniformly within types.</summary>
    Replay,
}

/// <summary>One fit of the baseline.</summary>
/// <param name="Setting">What it trained on.</param>
/// <param name="Stage">After which stage, from 1.</param>
/// <param name="TrainingCells">Number of training cells.</param>
/// <param name="C">The strength chosen.</param>
/// <param name="Converged">Whether the fit ended before its iterations ran out.</param>
public sealed record BaselineFit(BaselineSetting Setting, int Stage, int TrainingCells, double C, bool Converged);

/// <summary>The baseline over a stream: joint, current only and with a replay bank, as the development baselines were made.</summary>
public static class StreamBaseline
{
    /// <summary>Runs some settings.</summary>
    /// <param name="stages">The stages, in order.</param>
    /// <param name="tests">The test sets.</param>
    /// <param name="settings">Which settings.</param>
    /// <param name="bank">Cells of the replay bank.</param>
    /// <param name="fit">How the regression is fitted.</param>
    /// <param name="report">Told every fit.</param>
    /// <returns>A run a setting, named after it.</returns>
    public static IReadOnlyList<StreamRun> Run(
        IReadOnlyList<BaselineStage> stages, IReadOnlyList<BaselineTest> tests, IReadOnlyList<BaselineSetting> settings, int bank, LogisticRegressionSettings fit, Action<BaselineFit>? report = null)
    {
        StreamRun[] runs = [.. settings.Select(setting => StreamRun.Empty(NameOf(setting), fit.Seed, [.. stages.Select(stage => stage.Name)], [.. tests.Select(test => test.Test)]))];
        for (var stage = 1; stage <= stages.Count; stage++)
        {
            var taught = stages.Take(stage).SelectMany(earlier => earlier.Training.Labels).ToHashSet(StringComparer.Ordinal);
            for (var i = 0; i < runs.Length; i++)
            {
                // All settings are the same after the first stage.
                if (stage == 1 && i > 0)
                {
                    for (var test = 0; test < tests.Count; test++) runs[i].CopyFrom(runs[0], 1, test);
                    continue;
                }
                var cells = TrainingCells(stages, stage, settings[i], bank, fit.Seed);
                string[] types = [.. cells.Labels.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
                var model = LogisticRegression.FitBest(cells.Features, [.. cells.Labels.Select(label => Array.BinarySearch(types, label, StringComparer.Ordinal))], types.Length, fit);
                report?.Invoke(new BaselineFit(settings[i], stage, cells.Labels.Count, model.C, model.Converged));
                for (var test = 0; test < tests.Count; test++)
                {
                    string[] predicted = [.. model.Predict(tests[test].Cells.Features).Select(type => types[type])];
                    runs[i].Set(stage, test, StreamScoring.Score(tests[test].Cells.Labels, predicted, taught, tests[test].Merge).Scores);
                }
            }
        }
        return runs;
    }

    /// <summary>A setting's name in tables and files.</summary>
    public static string NameOf(BaselineSetting setting) => setting switch
    {
        BaselineSetting.Joint => "logistic regression, joint",
        BaselineSetting.CurrentOnly => "logistic regression, current only",
        _ => "logistic regression, replay",
    };

    /// <summary>The cells that a setting trains on after a stage (from 1), stages in order and cells in file order.</summary>
    public static BaselineCells TrainingCells(IReadOnlyList<BaselineStage> stages, int stage, BaselineSetting setting, int bank, ulong seed)
    {
        var all = stages.Take(stage).SelectMany((earlier, s) => earlier.Training.Labels.Select((label, cell) => (Stage: s, Cell: cell, Label: label))).ToArray();
        var kept = setting switch
        {
            BaselineSetting.Joint => [.. all],
            BaselineSetting.CurrentOnly => [],
            _ => Bank([.. all.Where(cell => cell.Stage < stage - 1)], bank, seed),
        };
        kept.UnionWith(all.Where(cell => cell.Stage == stage - 1));
        BaselineCells[] parts = [.. Enumerable.Range(0, stage).Select(s =>
        {
            int[] rows = [.. all.Where(cell => cell.Stage == s && kept.Contains(cell)).Select(cell => cell.Cell)];
            return new BaselineCells(stages[s].Training.Features.Select(rows), [.. rows.Select(row => stages[s].Training.Labels[row])]);
        })];
        return new BaselineCells(SparseFeatures.Concatenate([.. parts.Select(part => part.Features)]), [.. parts.SelectMany(part => part.Labels)]);
    }

    // Of each type known before the stage the floor(L / K) cells of smallest priority: a bank that can be kept, as the quota only shrinks.
    private static HashSet<(int Stage, int Cell, string Label)> Bank((int Stage, int Cell, string Label)[] earlier, int capacity, ulong seed)
    {
        var byType = earlier.GroupBy(cell => cell.Label, StringComparer.Ordinal).ToArray();
        double Priority(int stage, int cell) => new RandomSequence(seed, RandomPurpose.Baseline, stage + 1, index: cell).NextDouble();
        return [.. byType.SelectMany(cells => cells.OrderBy(cell => Priority(cell.Stage, cell.Cell)).Take(capacity / byType.Length))];
    }
}
