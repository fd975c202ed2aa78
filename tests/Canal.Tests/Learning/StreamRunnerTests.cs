using System.Text.Json;
using Canal.Data;
using Canal.Data.H5ad;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Plan;
using Canal.Engine.Optimizers;
using Canal.Learning;
using Canal.Models;
using Canal.Simulation;
using Canal.Testing;

namespace Canal.Tests.Learning;

/// <summary>Whole streams over small simulated studies.</summary>
public sealed class StreamRunnerTests : IDisposable
{
    private readonly CpuDevice device = new(new CpuOptions());
    private readonly TemporaryFolder temporary = new();

    public StreamRunnerTests() => SimulatedStudies.Write(temporary.Root, new SimulationSettings { Studies = 2, Cells = 80, Genes = 250, Seed = 2 });

    [Fact]
    public void EveryVariantAndStage_LeavesAModelAndScores()
    {
        var plan = Plan("out", """["no-replay", "no-distillation", "no-balance", "fine-tune", "joint"]""", "scratch");
        var outcome = new StreamRunner(device, plan).Run(null, CancellationToken.None);
        Assert.Equal(["full", "no-replay", "no-distillation", "no-balance", "fine-tune", "joint"], outcome.Variants.Select(v => v.Name));
        foreach (var variant in outcome.Variants)
        {
            Assert.Equal(2, variant.Stages.Count);
            Assert.All(variant.Stages.Zip(outcome.Variants[0].Stages), p => Assert.Equal(p.Second.Epochs * p.Second.StepsPerEpoch, p.First.Epochs * p.First.StepsPerEpoch));
            Assert.Equal(2, Directory.GetFiles(Path.Combine(plan.Output, "seed-1", variant.Name), "*.safetensors").Length);
            Assert.All(variant.Stages.SelectMany(s => s.Tests).Where(t => t.Cells > 0), t => Assert.InRange(t.Accuracy!.Value, 0, 1));
        }
        var unseen = outcome.Variants[0].Stages[^1].Tests[^1];
        Assert.True(unseen.Untaught > 0 && unseen.Cells > 0);
        Assert.InRange(unseen.NoveltyAuroc!.Value, 0, 1);
        using var matrix = JsonDocument.Parse(File.ReadAllText(Path.Combine(plan.Output, "matrix.json")));
        Assert.Equal("s", matrix.RootElement.GetProperty("stream").GetString());
        Assert.True(File.Exists(Path.Combine(plan.Output, "matrix.csv")));
        Assert.Empty(Directory.GetDirectories(plan.Output, "*.partial", SearchOption.AllDirectories));
        var model = ModelFile.Load(Directory.GetFiles(Path.Combine(plan.Output, "seed-1", "full"), "stage-2-*.safetensors").Single());
        Assert.True(model.Simulated);
    }

    [Fact]
    public void WithoutARateInTheFile_OnlyAFirstStageFromScratchHasTheRateForIt()
    {
        var plan = Plan("out", "[]", "scratch");
        plan = plan with { Learning = plan.Learning with { MaxEpochs = 1, Rate = LearningSettings.DefaultRate }, ScratchRate = LearningSettings.DefaultScratchRate };
        new StreamRunner(device, plan).Run(null, CancellationToken.None);
        var last = ModelFile.Load(Directory.GetFiles(Path.Combine(plan.Output, "seed-1", "full"), "stage-2-*.safetensors").Single());
        Assert.Equal(["0.001", "0.0002"], last.Provenance.Select(r => r.Settings["rate"]));
    }

    [Fact]
    public void InterruptedAgainAndAgain_ItEndsAsAnUnbrokenOne()
    {
        var whole = Plan("whole", """["joint"]""", """{"pretrain": {"max_epochs": 2, "batch": 10, "accumulation": 1}}""");
        new StreamRunner(device, whole).Run(null, CancellationToken.None);
        var parts = whole with { Output = temporary["parts"] };
        for (var stops = 0; ; stops++)
        {
            Assert.True(stops < 60, "the stream does not get on");
            using var cancel = new CancellationTokenSource();
            try
            {
                new StreamRunner(device, parts).Run(new StopAfter(cancel, 2), cancel.Token);
                Assert.True(stops > 2);
                break;
            }
            catch (RunInterruptedException)
            {
                continue;
            }
        }
        foreach (var file in Directory.GetFiles(whole.Output, "*.safetensors", SearchOption.AllDirectories).Append(Path.Combine(whole.Output, "matrix.csv")))
        {
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(parts.Output, Path.GetRelativePath(whole.Output, file))));
        }
    }

    [Fact]
    public void ABankPolicyBesideTheFullMethod_HasTheBitsOfARunWithIt()
    {
        var plan = Plan("beside", "[]", """{"pretrain": {"max_epochs": 1, "batch": 10, "accumulation": 1}}""");
        plan = plan with { Learning = plan.Learning with { MaxEpochs = 1, BankPolicy = BankPolicy.Random, BankCapacity = 20 } };
        BankPolicy[] others = [BankPolicy.Prototype, BankPolicy.Herding, BankPolicy.Mixed];
        new StreamRunner(device, plan with { BankPolicies = [BankPolicy.Random, .. others] }).Run(null, CancellationToken.None);
        Assert.Equal(["full", "herding-bank", "mixed-bank", "prototype-bank"], Directory.GetDirectories(Path.Combine(plan.Output, "seed-1")).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));
        foreach (var policy in others)
        {
            var alone = plan with { Learning = plan.Learning with { BankPolicy = policy }, Output = temporary[$"alone-{policy}"] };
            new StreamRunner(device, alone).Run(null, CancellationToken.None);
            for (var stage = 1; stage <= 2; stage++)
            {
                var expected = Model(alone.Output, "full", stage);
                var model = Model(plan.Output, $"{StreamPlanReader.NameOf(policy)}-bank", stage);
                Assert.Equal(expected.Bank.Examples.Select(e => (e.Source, e.CellId, e.Rank, e.Label)), model.Bank.Examples.Select(e => (e.Source, e.CellId, e.Rank, e.Label)));
                Assert.Equal(ModelIdentity.Of(expected with { Provenance = [] }), ModelIdentity.Of(model with { Provenance = [] }));
            }
            Assert.NotEqual(Model(plan.Output, "full", 1).Bank.Examples.Select(e => e.CellId), Model(alone.Output, "full", 1).Bank.Examples.Select(e => e.CellId));
        }

        static AnnotationModel Model(string output, string variant, int stage) =>
            ModelFile.Load(Directory.GetFiles(Path.Combine(output, "seed-1", variant), $"stage-{stage}-*.safetensors").Single());
    }

    [Fact]
    public void OtherSettingsOverOldResults_AreRefused()
    {
        var plan = Plan("out", "[]", "scratch") with { };
        plan = plan with { Stages = [plan.Stages[0]], Tests = [plan.Tests[0]] };
        new StreamRunner(device, plan).Run(null, CancellationToken.None);
        var other = plan with { Learning = plan.Learning with { Rate = 3e-3 } };
        var error = Assert.Throws<UserException>(() => new StreamRunner(device, other).Run(null, CancellationToken.None));
        Assert.Contains("--restart", error.Message, StringComparison.Ordinal);
        new StreamRunner(device, other) { Restart = true }.Run(null, CancellationToken.None);
    }

    [Fact]
    public void OtherTestCells_OrAnotherLimitOfQuality_OverOldResults_AreRefused()
    {
        var plan = Plan("out", "[]", "scratch");
        plan = plan with { Stages = [plan.Stages[0]], Tests = [plan.Tests[^1]] };
        new StreamRunner(device, plan).Run(null, CancellationToken.None);
        Assert.Contains("stage-1", Refused(plan with { MinimumGenes = 1 }), StringComparison.Ordinal);
        new StreamRunner(device, plan).Run(null, CancellationToken.None);
        Rewrite(plan.Tests[0].Cells.Data, counts: rows => rows.MutableValues(3)[0] = 10_000);
        Assert.Contains("stage-1", Refused(plan), StringComparison.Ordinal);
    }

    [Fact]
    public void ABaseOfOtherCellsOfTheSamePanel_IsRefused()
    {
        var plan = Plan("out", "[]", """{"pretrain": {"max_epochs": 1, "batch": 10, "accumulation": 1}}""");
        var second = temporary["second.h5ad"];
        File.Copy(plan.Stages[1].Cells.Data, second);
        // The panel is chosen on the first data set: the second one leaves it as it is.
        plan = plan with { Base = plan.Base with { Cells = [plan.Stages[0].Cells, new StreamCells(second, null)] }, Stages = [plan.Stages[0]], Tests = [] };
        new StreamRunner(device, plan).Run(null, CancellationToken.None);
        new StreamRunner(device, plan).Run(null, CancellationToken.None);
        Rewrite(second, counts: rows => rows.MutableValues(3)[0] = 10_000);
        Assert.Contains("base.safetensors", Refused(plan), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("name", "Unassigned")]
    [InlineData("bank", "--bank")]
    [InlineData("genes", "genes")]
    public void WhatOnlyALaterStageOrTestShows_IsSaidBeforeAnythingIsLearned(string fault, string word)
    {
        var plan = Plan("out", "[]", """{"pretrain": {"max_epochs": 1, "batch": 10, "accumulation": 1}}""");
        if (fault == "name") Rewrite(plan.Stages[1].Cells.Data, label: (label, cell) => cell < 40 ? "Unassigned" : label);
        if (fault == "bank") plan = plan with { Learning = plan.Learning with { BankCapacity = TypesOf(plan.Stages[0]) } };
        if (fault == "genes") Rewrite(plan.Tests[^1].Cells.Data, gene: name => "another-" + name);
        Assert.Contains(word, Refused(plan), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(plan.Output, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void TestCellsOfLowQuality_CountLikeAllOthers()
    {
        var plan = Plan("out", "[]", "scratch");
        var test = plan.Tests[0];
        using var reader = DataSetReader.Open(test.Cells.Data, new DataSetSettings { Where = test.Cells.Where, Label = test.Label });
        plan = plan with { MinimumGenes = (int)reader.Quality.MedianGenes!.Value, Stages = [plan.Stages[0]], Tests = [test] };
        var score = new StreamRunner(device, plan).Run(null, CancellationToken.None).Variants[0].Stages[0].Tests[0];
        Assert.Equal(reader.Rows.Count, score.Cells + score.Untaught);
        var baseline = new StreamBaselineCells(plan, null);
        Assert.Equal(reader.Rows.Count, baseline.Tests(BaselineFeatures.Log)[0].Cells.Labels.Count);
        // Of the training cells, which are of the same file, some are left out.
        using var training = DataSetReader.Open(plan.Stages[0].Cells.Data, new DataSetSettings { Where = plan.Stages[0].Cells.Where, Label = test.Label });
        Assert.InRange(baseline.Stages(BaselineFeatures.Log)[0].Training.Labels.Count, 1, training.Rows.Count - 1);
    }

    [Fact]
    public void AnOutputThatIsAFile_IsTheUsersFault()
    {
        var plan = Plan("out", "[]", "scratch");
        File.WriteAllText(plan.Output, "mine");
        var error = Assert.Throws<UserException>(() => new StreamRunner(device, plan).Run(null, CancellationToken.None));
        Assert.Contains(plan.Output, error.Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(plan.Output));
    }

    [Fact]
    public void CachesThatDoNotFitInMemory_GoToTheScratchFolderThatIsNamed()
    {
        // With the head alone trained, the output of both blocks is kept.
        var plan = Plan("out", "[]", "scratch");
        plan = plan with { Learning = plan.Learning with { Trainable = TrainableSet.Head } };
        new StreamRunner(device, plan with { Stages = [plan.Stages[0]], Tests = [] }).Run(null, CancellationToken.None);
        var model = Directory.GetFiles(Path.Combine(plan.Output, "seed-1", "full"), "stage-1-*.safetensors").Single();
        var second = plan.Stages[1];
        using var reader = DataSetReader.Open(second.Cells.Data, new DataSetSettings { Name = second.Name, Where = second.Cells.Where, Label = second.Label, FewestGenes = plan.MinimumGenes });
        var (prepared, cells) = DataSets.Stage(reader, ModelFile.Load(model).Panel);
        using (prepared)
        {
            var planned = StagePlanner.Plan(ModelFile.Load(model), cells, plan.Learning with { Seed = 1 }, null, PlanTarget.Cpu(1));
            using var small = new CpuDevice(new CpuOptions { Threads = 1, MemoryLimit = (nuint)(planned.PeakBytes - (planned.CacheBytes * 9 / 10)) });
            var start = plan.Base with { Kind = StreamBaseKind.Model, ModelPath = model };
            var rest = plan with { Base = start, Stages = [second], Tests = [], Output = temporary["rest"] };
            var scratch = temporary["elsewhere"];
            new StreamRunner(small, rest) { ScratchFolder = scratch }.Run(null, CancellationToken.None);
            // The files have no name from the moment they are made; the folder is made for the first of them.
            Assert.True(Directory.Exists(scratch));
            Assert.Empty(Directory.GetFileSystemEntries(scratch));
        }
    }

    public void Dispose()
    {
        device.Dispose();
        temporary.Dispose();
    }

    private string Refused(StreamPlan plan) => Assert.Throws<UserException>(() => new StreamRunner(device, plan).Run(null, CancellationToken.None)).Message;

    private static int TypesOf(StreamStage stage)
    {
        using var reader = DataSetReader.Open(stage.Cells.Data, new DataSetSettings { Where = stage.Cells.Where });
        var labels = reader.File.ReadObs(stage.Label).Values;
        return reader.Rows.Select(row => labels[row]).Distinct(StringComparer.Ordinal).Count();
    }

    private static void Rewrite(string path, Action<SparseRows>? counts = null, Func<string?, int, string?>? label = null, Func<string, string>? gene = null)
    {
        var rows = new SparseRows();
        string[] genes, cells;
        List<CategoryColumn> columns;
        using (var file = ExpressionFiles.Open(path))
        {
            genes = [.. file.GeneNames("X").Select(name => gene?.Invoke(name) ?? name)];
            cells = [.. file.CellNames];
            columns = [.. file.ObsColumns.Select(c => CategoryColumn.FromValues(c, [.. file.ReadObs(c).Values.Select((v, i) => c == "cell_type" && label is not null ? label(v, i) : v)]))];
            file.OpenMatrix("X").ReadCells(0, file.CellCount, rows);
        }
        counts?.Invoke(rows);
        using var writer = new H5adWriter(path, genes.Length);
        writer.Append(rows);
        writer.Complete(new AnnotationTable(cells, columns), new AnnotationTable(genes, []));
    }

    private StreamPlan Plan(string output, string ablate, string start)
    {
        var studies = Directory.GetFiles(temporary.Root, "*.h5ad").Select(f => Path.GetFileName(f)!).ToList();
        using var simulated = JsonDocument.Parse(File.ReadAllText(temporary[SimulatedStudies.StreamFile]));
        var (stages, tests) = (simulated.RootElement.GetProperty("stages"), simulated.RootElement.GetProperty("tests"));
        Assert.Equal(3, studies.Count);
        var json = $$"""
            {"name": "s", "base": {{(start == "scratch" ? "\"scratch\"" : start)}}, "ablate": {{ablate}},
             "model": {"width": 16, "blocks": 2, "heads": 2, "head_width": 8, "features": 16}, "genes": {"panel": 60},
             "learning": {"max_epochs": 2, "batch": 10, "rate": 2e-3, "bank": 30},
             "stages": {{stages.GetRawText()}}, "tests": {{tests.GetRawText()}}, "output": "{{output}}"}
            """;
        File.WriteAllText(temporary["plan.json"], json);
        return StreamPlanReader.Read(temporary["plan.json"]);
    }

    private sealed class StopAfter(CancellationTokenSource cancel, int messages) : IProgress<LearningProgress>
    {
        private int said;

        public void Report(LearningProgress value)
        {
            if (value.Message?.Contains("validation", StringComparison.Ordinal) == true && ++said == messages) cancel.Cancel();
        }
    }
}
