using System.Text;
using Canal.Engine.Optimizers;
using Canal.Learning;

namespace Canal.Tests.Learning;

public class StreamPlanReaderTests
{
    private const string Whole = """
        {
          "name": "blood", "label": "cell_type", "seeds": [3, 1], "min_genes": 0, "ablate": ["fine-tune", "joint"], "bank_policies": ["prototype", "mixed"],
          "base": {"pretrain": {"max_epochs": 4, "rate": 0.001, "data": [{"data": "a.h5ad", "where": "split == train"}]}},
          "model": {"width": 48, "blocks": 2, "heads": 4, "head_width": 16, "features": 44},
          "genes": {"vocabulary": "genes.txt", "panel": 500},
          "learning": {"max_epochs": 9, "batch": 7, "rate": 1e-3, "lambda": 0.2, "bank": 900, "bank_policy": "herding", "trainable": "all", "schedule": "steps"},
          "stages": [{"name": "one", "data": "a.h5ad", "where": "split == train"}, {"name": "two", "data": "../b.h5ad"}],
          "tests": [{"name": "t", "stage": 2, "data": "b.h5ad", "merge": {"x": "y"}}, {"name": "u", "stage": null, "data": "c.h5ad"}],
          "output": "out"
        }
        """;

    [Fact]
    public void EveryKeyIsRead_AndPathsAreRelativeToTheFile()
    {
        var plan = Parse(Whole);
        Assert.Equal("blood", plan.Name);
        Assert.Equal([3UL, 1UL], plan.Seeds);
        Assert.Equal([Ablation.FineTune, Ablation.Joint], plan.Ablations);
        Assert.Equal([BankPolicy.Prototype, BankPolicy.Mixed], plan.BankPolicies);
        Assert.Equal(StreamBaseKind.Pretrain, plan.Base.Kind);
        Assert.Equal(new StreamCells("/streams/a.h5ad", "split == train"), Assert.Single(plan.Base.Cells));
        Assert.Equal((4, 0.001), (plan.Base.Settings.MaxEpochs, plan.Base.Settings.Rate));
        Assert.Equal(new StreamGeometry(48, 2, 4, 16, 44), plan.Geometry);
        Assert.Equal(("/streams/genes.txt", (int?)500), (plan.Vocabulary, plan.PanelSize));
        Assert.Equal((9, 7, 1e-3, 0.2, 900), (plan.Learning.MaxEpochs, plan.Learning.Batch, plan.Learning.Rate, plan.Learning.Lambda, plan.Learning.BankCapacity));
        Assert.Equal((BankPolicy.Herding, TrainableSet.All, ScheduleKind.Steps), (plan.Learning.BankPolicy, plan.Learning.Trainable, plan.Learning.Schedule));
        Assert.Equal("/b.h5ad", plan.Stages[1].Cells.Data);
        Assert.Equal((1, (int?)null), (plan.Tests[0].Stage, plan.Tests[1].Stage));
        Assert.Equal("y", plan.Tests[0].Merge["x"]);
        Assert.Equal("/streams/out", plan.Output);
    }

    [Fact]
    public void OnlyStagesAreNeeded_AndTestsFollowTheSplit()
    {
        var plan = Parse("""{"stages": [{"data": "a.h5ad", "where": "split == train"}, {"data": "b.h5ad"}]}""");
        Assert.Equal(("s", 1000, StreamBaseKind.Scratch), (plan.Name, plan.PanelSize, plan.Base.Kind));
        Assert.Equal([1UL], plan.Seeds);
        Assert.Equal("a", plan.Stages[0].Name);
        var test = Assert.Single(plan.Tests);
        Assert.Equal(("a", (int?)0, "split == test"), (test.Name, test.Stage, test.Cells.Where));
        Assert.Equal("/streams/s.out", plan.Output);
    }

    [Theory]
    [InlineData("""{"stages": [{"data": "a"}]}""", 2e-4, 1e-3)]
    [InlineData("""{"learning": {"batch": 3}, "stages": [{"data": "a"}]}""", 2e-4, 1e-3)]
    [InlineData("""{"learning": {"rate": 5e-4}, "stages": [{"data": "a"}]}""", 5e-4, null)]
    public void AFirstStageFromScratchHasARateOfItsOwn_UnlessTheFileGivesOne(string json, double rate, double? scratch)
    {
        var plan = Parse(json);
        Assert.Equal((rate, scratch), (plan.Learning.Rate, plan.ScratchRate));
    }

    [Fact]
    public void PretrainingWithoutSettingsHasTheDefaults()
    {
        var settings = Parse("""{"base": {"pretrain": {}}, "stages": [{"data": "a"}]}""").Base.Settings;
        Assert.Equal(new PretrainSettings(), settings);
        Assert.Equal((30, 14, 1e-3), (settings.MaxEpochs, settings.Batch, settings.Rate));
    }

    [Fact]
    public void PanelCanBeAllGenes() => Assert.Null(Parse("""{"genes": {"panel": "all"}, "stages": [{"data": "a"}]}""").PanelSize);

    [Theory]
    [InlineData("""{"stages": [], "name": "x"}""", "stages is empty")]
    [InlineData("""{"name": "x"}""", "stages is missing")]
    [InlineData("""{"stages": [{"data": "a"}], "seed": 3}""", "seed is not known")]
    [InlineData("""{"stages": [{"data": "a", "wher": "x"}]}""", "stages[0].wher is not known")]
    [InlineData("""{"stages": [{"data": 3}]}""", "stages[0].data is 3, not a text")]
    [InlineData("""{"stages": [{"data": "a"}, {"data": "b/a.h5ad"}]}""", "stages[1].name repeats \"a\"")]
    [InlineData("""{"stages": [{"data": "a"}], "learning": {"bach": 3}}""", "learning.bach is not known")]
    [InlineData("""{"stages": [{"data": "a"}], "learning": {"batch": 0}}""", "learning.batch is 0, not a whole number")]
    [InlineData("""{"stages": [{"data": "a"}], "learning": {"batch": 1.5}}""", "learning.batch is 1.5, not a whole number")]
    [InlineData("""{"stages": [{"data": "a"}], "learning": {"rate": -1}}""", "rate is -1")]
    [InlineData("""{"stages": [{"data": "a"}], "learning": {"trainable": "some"}}""", "it can be head, last-but-one, last-two, all")]
    [InlineData("""{"stages": [{"data": "a"}], "base": {"pretrain": {"epochs": 3}}}""", "base.pretrain.epochs is not known")]
    [InlineData("""{"stages": [{"data": "a"}], "base": {"pretrain": {}, "scratch": true}}""", "base.scratch is not known")]
    [InlineData("""{"stages": [{"data": "a"}], "tests": [{"data": "b", "stage": 2}]}""", "tests[0].stage is 2")]
    [InlineData("""{"stages": [{"data": "a"}], "tests": [{"data": "b", "stage": 1}, {"data": "c", "stage": 1}]}""", "already has a test set")]
    [InlineData("""{"stages": [{"data": "a"}], "tests": [{"data": "b", "merge": {"x": "y", "y": "z"}}]}""", "tests[0].merge.y is merged")]
    [InlineData("""{"stages": [{"data": "a"}], "seeds": [1, -1]}""", "seeds[1] is not a whole number")]
    [InlineData("""{"stages": [{"data": "a"}], "bank_policies": ["best"]}""", "bank_policies[0] is \"best\"; it can be prototype")]
    [InlineData("""{"stages": [{"data": "a"}], "ablate": ["replay"]}""", "ablate[0] is \"replay\"; it can be no-replay")]
    [InlineData("""{"stages": [{"data": "a"}], "name": "a", "name": "b"}""", "name is given twice")]
    [InlineData("""{"stages": [{"data": "a"}""", "is not JSON: line 1")]
    [InlineData("""[1]""", "the file is [1], not an object")]
    public void MistakesAreNamedWithTheirPath(string json, string expected)
    {
        var error = Assert.Throws<UserException>(() => Parse(json));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("/streams/s.json", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private static StreamPlan Parse(string json) => StreamPlanReader.Parse(Encoding.UTF8.GetBytes(json), "/streams/s.json");
}
