using Canal.Data;
using Canal.Engine.Random;
using Canal.Evaluation;
using Canal.Testing;

namespace Canal.Tests.Evaluation;

public sealed class StreamBaselineTests
{
    private const int Genes = 12;
    private static readonly LogisticRegressionSettings Quick = new() { Candidates = [1] };

    [Fact]
    public void Replay_takes_the_quota_of_each_earlier_type_and_the_bank_only_shrinks()
    {
        BaselineStage[] stages = [Stage("one", ["a", "b", "c"], 90), Stage("two", ["a", "d"], 60), Stage("three", ["e"], 30)];
        var second = StreamBaseline.TrainingCells(stages, 2, BaselineSetting.Replay, 30, 1);
        var third = StreamBaseline.TrainingCells(stages, 3, BaselineSetting.Replay, 30, 1);
        Assert.Equal([10 + 30, 10, 10, 30], new[] { "a", "b", "c", "d" }.Select(type => second.Labels.Count(label => label == type)));
        Assert.Equal([7, 7, 7, 7, 30], new[] { "a", "b", "c", "d", "e" }.Select(type => third.Labels.Count(label => label == type)));
        Assert.Equal(third.Labels.Count, third.Features.Rows);
        Assert.Equal(180, StreamBaseline.TrainingCells(stages, 3, BaselineSetting.Joint, 30, 1).Labels.Count);
        Assert.Equal(30, StreamBaseline.TrainingCells(stages, 3, BaselineSetting.CurrentOnly, 30, 1).Labels.Count);
        var larger = StreamBaseline.TrainingCells(stages[..2], 2, BaselineSetting.Replay, 60, 1);
        Assert.True(larger.Labels.Count > second.Labels.Count);
    }

    [Fact]
    public void Training_on_the_current_stage_alone_forgets_and_joint_training_does_not()
    {
        BaselineStage[] stages = [Stage("one", ["a", "b", "c"], 90), Stage("two", ["a", "d"], 60)];
        BaselineTest[] tests =
        [
            new(new StreamTest("one", 1), Stage("one test", ["a", "b", "c"], 45).Training), new(new StreamTest("two", 2), Stage("two test", ["a", "d"], 30).Training),
            new(new StreamTest("merged", null), Stage("merged test", ["b", "c"], 30).Training, new Dictionary<string, string> { ["c"] = "b" }),
        ];
        var fits = new List<BaselineFit>();
        var runs = StreamBaseline.Run(stages, tests, [BaselineSetting.Joint, BaselineSetting.CurrentOnly, BaselineSetting.Replay], 30, Quick, fits.Add);
        Assert.Equal(4, fits.Count);
        Assert.All(runs, run => Assert.Equal(runs[0].Accuracy[1, 0], run.Accuracy[1, 0]));
        Assert.True(runs[0].Accuracy[2, 0] > 0.95);
        Assert.Equal(1.0 / 3, runs[1].Accuracy[2, 0]!.Value, 0.05);
        Assert.True(runs[2].Accuracy[2, 0] > 0.9);
        Assert.True(runs[1].Accuracy[2, 1] > 0.95);
        // After stage 1 type d has not been taught: only the cells of a count, and all of them are named.
        Assert.True(runs[0].Accuracy[1, 1] > 0.9);
        Assert.True(runs[0].Accuracy[1, 2] > 0.9 && runs[0].AdjustedRandIndex[1, 2] == 1);
    }

    [Fact]
    public void Types_that_no_stage_has_taught_are_counted_apart_and_merged_types_are_one()
    {
        var scores = StreamScoring.Score(["a", "b", "c"], ["a", "a", "a"], new HashSet<string> { "a", "b" });
        Assert.Equal((2, 1, 0.5), (scores.Scores.Cells, scores.LeftOut, scores.Scores.Accuracy));
        var merged = StreamScoring.Score(["a", "b", "c"], ["a", "a", "a"], new HashSet<string> { "a", "b" }, new Dictionary<string, string> { ["a"] = "b" });
        Assert.Equal(1, merged.Scores.Accuracy);
    }

    // data/baselines.md, blood, 1,000 HVG, log features, after stage 1: accuracy 96.0, macro-F1 95.0, ARI 91.4 with C = 0.01, by scikit-learn. Its
    // folds are not ours and it stops within 1e-4 of the minimum; half a percent is four of the 775 test cells.
    [SkippableFact]
    public void Blood_stage_1_scores_as_the_published_baseline()
    {
        var vocabulary = GeneVocabulary.Load(SharedFiles.Require("data", "genes_panglao_16906.txt"));
        var path = SharedFiles.Require("data", "pbmc_zheng_sorted.h5ad");
        using var training = DataSetReader.Open(path, new DataSetSettings { Label = "cell_type", Where = "split == train", FewestGenes = 0 });
        var panel = training.ChoosePanel(vocabulary, 1000);
        using var trainingCells = training.Prepare(panel);
        using var testing = DataSetReader.Open(path, new DataSetSettings { Label = "cell_type", Where = "split == test", FewestGenes = 0 });
        using var testCells = testing.Prepare(panel);
        var model = LogisticRegression.Fit(SparseFeatures.Of(training.ReadLogFeatures(trainingCells)), [.. trainingCells.Labels], trainingCells.Types.Count, 0.01, new LogisticRegressionSettings());
        var scores = ClassificationMetrics.Of<int>([.. testCells.Labels], model.Predict(SparseFeatures.Of(testing.ReadLogFeatures(testCells))));
        Assert.Equal(3099, trainingCells.Count);
        Assert.Equal(775, scores.Cells);
        Assert.InRange(scores.Accuracy, 0.955, 0.965);
        Assert.InRange(scores.MacroF1, 0.945, 0.955);
        Assert.InRange(scores.AdjustedRandIndex, 0.904, 0.924);
    }

    private static BaselineStage Stage(string name, string[] types, int cells)
    {
        var random = new RandomSequence(5, RandomPurpose.Testing, index: name.Length);
        var dense = new float[cells, Genes];
        string[] labels = [.. Enumerable.Range(0, cells).Select(cell => types[cell % types.Length])];
        for (var cell = 0; cell < cells; cell++)
        {
            for (var gene = 0; gene < Genes; gene++) dense[cell, gene] = Math.Max(0, (float)((labels[cell][0] - 'a' == gene ? 3 : 0) + (0.6 * random.NextNormal())));
        }
        return new BaselineStage(name, new BaselineCells(SparseFeatures.Of(dense), labels));
    }
}
