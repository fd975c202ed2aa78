using Canal.Data;
using Canal.Engine.Devices.Cpu;
using Canal.Learning;
using Canal.Models;
using Canal.Testing;

namespace Canal.Tests.Learning;

public sealed class PretrainerTests : IDisposable
{
    private readonly CpuDevice device = new(new CpuOptions());
    private readonly TemporaryFolder temporary = new();
    private readonly List<PreparedCells> prepared = [];

    private static PretrainSettings Settings { get; } = new() { MaxEpochs = 6, Batch = 8, Accumulation = 1, Rate = 5e-3, Schedule = ScheduleKind.Steps, ValidationShare = 0.2, Seed = 4 };

    [Fact]
    public void MaskedExpression_IsLearned_OverSeveralDataSets()
    {
        var (fresh, sources) = Sources();
        var result = new Pretrainer(device).Pretrain(fresh, sources, Settings, new LearningContext());
        Assert.True(result.History[^1].Loss <= 0.8 * result.History[0].Loss, $"loss {result.History[0].Loss} to {result.History[^1].Loss}");
        Assert.Equal(ModelKind.Base, result.Model.Kind);
        Assert.Equal((0, 2), (result.Model.Stages, result.Model.Provenance.Count));
        Assert.All(result.Model.Provenance, p => Assert.Equal(0, p.Stage));
    }

    [Fact]
    public void AccumulatedBatches_GiveTheGradientOfOneBigBatch()
    {
        // Same number of chosen positions in every cell, so that a mean of means is the mean: here all sources' cells, one update.
        var (fresh, sources) = Sources();
        var settings = Settings with { MaxEpochs = 1, Batch = 1000, Rate = 1e-3 };
        var whole = new Pretrainer(device).Pretrain(fresh, sources, settings, new LearningContext());
        var parts = new Pretrainer(device).Pretrain(fresh, sources, settings with { Batch = 20, Accumulation = 50 }, new LearningContext());
        // The parts' means weigh chosen positions slightly differently; Adam's first step is +-rate where the sign of a gradient is clear.
        var (same, all) = (0, 0);
        foreach (var (name, start) in fresh.Weights)
        {
            for (var i = 0; i < start.Length; i++)
            {
                if (whole.Model.Weights[name][i] == start[i]) continue;
                all++;
                if (Math.Sign(whole.Model.Weights[name][i] - start[i]) == Math.Sign(parts.Model.Weights[name][i] - start[i])) same++;
            }
        }
        Assert.True(same >= 0.9 * all, $"{same} of {all} weights move the same way");
        Assert.Equal(1, parts.History[^1].Steps);
    }

    [Fact]
    public void Resumed_ItHasTheSameBytes()
    {
        var (fresh, sources) = Sources();
        ModelFile.Save(new Pretrainer(device).Pretrain(fresh, sources, Settings, new LearningContext()).Model, temporary["whole"]);
        var attempts = 0;
        while (true)
        {
            Assert.True(++attempts < 30, "the run does not get on");
            using var folder = RunFolder.Open(temporary["parts"], restart: false);
            using var cancel = new CancellationTokenSource();
            try
            {
                var context = new LearningContext { Folder = folder, Cancel = cancel.Token, Progress = new StopAfter(cancel, 3) };
                ModelFile.Save(new Pretrainer(device).Pretrain(fresh, sources, Settings, context).Model, temporary["parts"]);
                break;
            }
            catch (RunInterruptedException)
            {
                continue;
            }
        }
        Assert.True(attempts > 2);
        Assert.Equal(File.ReadAllBytes(temporary["whole"]), File.ReadAllBytes(temporary["parts"]));
    }

    [Fact]
    public void AccumulationFollowsTheNumberOfCells()
    {
        var defaults = new PretrainSettings();
        Assert.Equal(1, defaults.AccumulationFor(50));
        Assert.Equal(2, defaults.AccumulationFor(3000)); // 30 cells an update give 100 updates an epoch
        Assert.Equal(12, defaults.AccumulationFor(1_000_000)); // at most 180 cells
        Assert.Equal(60, (defaults with { Batch = 3 }).AccumulationFor(1_000_000)); // scBERT
    }

    public void Dispose()
    {
        foreach (var cells in prepared) cells.Dispose();
        device.Dispose();
        temporary.Dispose();
    }

    private (AnnotationModel, PretrainSource[]) Sources()
    {
        var sources = new List<PretrainSource>();
        foreach (var (name, cells) in new[] { ("one", 40), ("two", 30) })
        {
            using var reader = new DataSetReader(LearningSamples.File(name, cells), new DataSetSettings { Name = name, FewestGenes = 0 });
            prepared.Add(reader.Prepare(LearningSamples.Panel));
            sources.Add(new PretrainSource(prepared[^1], "00", false));
        }
        return (LearningSamples.Fresh(blocks: 2), [.. sources]);
    }

    private sealed class StopAfter(CancellationTokenSource cancel, int messages) : IProgress<LearningProgress>
    {
        private int said;

        public void Report(LearningProgress value)
        {
            if (value.Message is not null && ++said == messages) cancel.Cancel();
        }
    }
}
