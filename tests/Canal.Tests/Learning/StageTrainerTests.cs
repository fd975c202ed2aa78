using Canal.Data;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Plan;
using Canal.Learning;
using Canal.Models;
using Canal.Testing;

namespace Canal.Tests.Learning;

public sealed class StageTrainerTests : IDisposable
{
    private readonly CpuDevice device = new(new CpuOptions());
    private readonly TemporaryFolder temporary = new();

    [Fact]
    public void TenCells_AreLearnedToNearZeroLoss()
    {
        var cells = LearningSamples.Stage("ten", 5, 0, 1);
        var settings = LearningSamples.Settings with { MaxEpochs = 60, Patience = 100, Rate = 1e-2, Smoothing = 0, Batch = 10 };
        var result = Learn(LearningSamples.Fresh(blocks: 2), cells, settings);
        Assert.True(result.History.Min(e => e.Loss) <= 0.01, $"the smallest loss is {result.History.Min(e => e.Loss)}");
        Assert.Equal(1.0, result.Best.ValidationAccuracy);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CachedOrNot_InMemoryOrInAScratchFile_TheModelHasTheSameBits(bool inMemory)
    {
        var first = Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 1, 2), LearningSamples.Settings).Model;
        var second = LearningSamples.Stage("two", 60, 1, 2, 3);
        var uncached = new StageTrainer(device) { Caches = false }.Learn(first, second, LearningSamples.Settings, StageCompany.Alone, new LearningContext());
        // A limit that leaves no room beside the step sends the caches to files.
        var plan = StagePlanner.Plan(first, second, LearningSamples.Settings, null, PlanTarget.Cpu(1));
        var limit = (nuint)(plan.PeakBytes - (plan.CacheBytes / 4));
        using var other = new CpuDevice(new CpuOptions { Threads = 1, MemoryLimit = inMemory ? null : limit });
        var said = new Sayings();
        var cached = new StageTrainer(other).Learn(first, second, LearningSamples.Settings, StageCompany.Alone, new LearningContext { Progress = said });
        Assert.Contains(said.Lines, line => line.Contains(inMemory ? "kept in memory" : "kept in a scratch file", StringComparison.Ordinal));
        Assert.Equal(uncached.History, cached.History);
        Assert.Equal(Bytes(uncached.Model), Bytes(cached.Model));
    }

    [Fact]
    public void ResumedAtManySteps_TheModelFileHasTheSameBytes()
    {
        var first = Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 1, 2), LearningSamples.Settings).Model;
        var second = LearningSamples.Stage("two", 12, 1, 2, 3);
        var unbroken = Bytes(Learn(first, second, LearningSamples.Settings).Model);
        var output = temporary["model.safetensors"];
        for (var stops = 0; ; stops++)
        {
            Assert.True(stops < 60, "the run does not get on");
            using var folder = RunFolder.Open(output, restart: false);
            using var cancel = new CancellationTokenSource();
            // Every fresh process stops at another moment: after one, two, three, ... operations of the state machine.
            var context = new LearningContext { Folder = folder, Cancel = cancel.Token, Progress = new Stopper(cancel, after: 2 + (stops % 3)) };
            try
            {
                var resumed = new StageTrainer(device).Learn(first, second, LearningSamples.Settings, StageCompany.Alone, context);
                Assert.True(stops >= 2, "it was never interrupted");
                Assert.Equal(unbroken, Bytes(resumed.Model));
                break;
            }
            catch (RunInterruptedException)
            {
                Assert.True(File.Exists(folder.StatePath) || stops == 0);
            }
        }
    }

    [Fact]
    public void TheTeacherOfItself_DistilsNothing()
    {
        var first = Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 10, 0, 1), LearningSamples.Settings).Model;
        // All cells in one step: the loss of the only step is taken before anything has moved.
        var result = Learn(first, LearningSamples.Stage("two", 10, 1, 2), LearningSamples.Settings with { MaxEpochs = 1, Batch = 1000, Lambda = 1000 });
        Assert.Equal(0, result.History[0].Distillation);
        var moved = Learn(first, LearningSamples.Stage("two", 10, 1, 2), LearningSamples.Settings with { MaxEpochs = 2, Lambda = 1000 });
        Assert.True(moved.History[^1].Distillation > 1e-6);
    }

    [Fact]
    public void OnlyWhatIsChosenTrains()
    {
        var first = Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 10, 0, 1), LearningSamples.Settings).Model;
        var second = Learn(first, LearningSamples.Stage("two", 10, 1, 2), LearningSamples.Settings).Model;
        foreach (var (name, before) in first.Weights)
        {
            var trains = name.StartsWith("performer.net.layers.1.", StringComparison.Ordinal) && !name.Contains("projection", StringComparison.Ordinal);
            trains |= name.StartsWith("norm.", StringComparison.Ordinal) || name.StartsWith("to_out.", StringComparison.Ordinal);
            Assert.True(trains != before.AsSpan().SequenceEqual(second.Weights[name].AsSpan(0, before.Length)), name);
        }
    }

    [Fact]
    public void Library_Bank_AndProvenanceGrow()
    {
        var first = Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 2), LearningSamples.Settings).Model;
        var second = Learn(first, LearningSamples.Stage("two", 12, 1, 2), LearningSamples.Settings).Model;
        Assert.Equal(["type 0", "type 2"], first.Library.Names);
        Assert.Equal(["type 0", "type 2", "type 1"], second.Library.Names);
        Assert.Equal((1, 2), (first.Stages, second.Stages));
        Assert.All(second.Bank.Examples.GroupBy(e => e.Label), g => Assert.True(g.Count() <= 10));
        Assert.Contains(second.Bank.Examples, e => e.Stage == 1 && e.Label == 0);
        Assert.Equal((2, 3), (first.Novelty!.Genes!.Counts.Length, second.Novelty!.Genes!.Counts.Length));
        Assert.Equal(second.Provenance[1].Metrics["training_cells"], second.Novelty.Genes.Counts.Sum());
        Assert.Equal(["one", "two"], second.Provenance.Select(p => p.Name));
        Assert.DoesNotContain(second.Provenance[1].Metrics, m => m.Key.Contains("second", StringComparison.Ordinal));
    }

    [Fact]
    public void CellsThatTheBankHolds_KeepTheirFold_AndAreTakenOnce()
    {
        var first = Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 1), LearningSamples.Settings).Model;
        var again = LearningSamples.Stage("one", 24, 0, 1, 2);
        var drawn = Folds.Validation("one", again.CellIds, [.. again.Labels.Select(label => label[^1] - '0')]);
        var bank = first.Bank.Examples.ToDictionary(e => e.CellId, e => e.Validates);
        var folds = again.CellIds.Select((id, cell) => bank.TryGetValue(id, out var validates) ? validates : drawn[cell]).ToArray();
        Assert.Equal(24, bank.Count);
        Assert.Contains(Enumerable.Range(0, again.Count), cell => drawn[cell] && !folds[cell]);     // would have trained and then validated

        var said = new Sayings();
        var second = new StageTrainer(device).Learn(first, again, LearningSamples.Settings, StageCompany.Alone, new LearningContext { Progress = said }).Model;
        Assert.Equal(folds.Count(f => !f), second.Provenance[^1].Metrics["training_cells"]);
        Assert.Equal(folds.Count(f => f), second.Provenance[^1].Metrics["validation_cells"]);
        Assert.Contains(said.Lines, line => line.StartsWith("24 cells are in the example bank already", StringComparison.Ordinal));
        Assert.Equal(second.Bank.Count, second.Bank.Examples.Select(e => (e.Source, e.CellId)).Distinct().Count());
        Assert.All(second.Bank.Examples, e => Assert.Equal(folds[again.CellIds.ToList().IndexOf(e.CellId)], e.Validates));
    }

    [Theory]
    [InlineData(Ablation.NoReplay, true, 0)]
    [InlineData(Ablation.FineTune, false, 0)]
    [InlineData(Ablation.NoDistillation, false, 18)]
    [InlineData(Ablation.NoBalance, true, 30)]
    [InlineData(Ablation.Joint, false, 0)]
    public void Ablations_LeaveOutWhatTheySay_AtTheSameNumberOfSteps(Ablation ablation, bool distils, int bank)
    {
        var (one, two) = (LearningSamples.Stage("one", 12, 0, 1), LearningSamples.Stage("two", 12, 1, 2));
        var first = Learn(LearningSamples.Fresh(), one, LearningSamples.Settings).Model;
        var full = Learn(first, two, LearningSamples.Settings);
        var company = new StageCompany(ablation == Ablation.Joint ? [one] : [], full.Budget);
        var result = new StageTrainer(device).Learn(first, two, LearningSamples.Settings with { Ablation = ablation, Lambda = 10 }, company, new LearningContext());
        Assert.Equal(full.History[^1].Steps, result.History[^1].Steps);
        Assert.Equal(distils, result.History[^1].Distillation > 0);
        Assert.True(bank == 0 ? result.Model.Bank.Count == 0 : result.Model.Bank.Count > 0 && result.Model.Bank.Count <= 30);
        var trained = result.Model.Provenance[^1].Metrics["training_cells"];
        var own = two.Count - (2 * 2);          // of 12 cells of a type, floor(0.2 * 12 + 0.5) = 2 validate
        if (ablation is Ablation.NoReplay or Ablation.FineTune) Assert.Equal(own, trained);
        else if (ablation == Ablation.Joint) Assert.Equal(2 * own, trained);
        else Assert.True(trained > own);
    }

    [Fact]
    public void AStageThatLeavesOneType_AndABankThatIsTooSmall_AreRefused()
    {
        var one = Assert.Throws<UserException>(() => Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 6, 0), LearningSamples.Settings));
        Assert.Contains("at least two", one.Message, StringComparison.Ordinal);
        var small = Assert.Throws<UserException>(() => Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 6, 0, 1, 2), LearningSamples.Settings with { BankCapacity = 2 }));
        Assert.Contains("--bank", small.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SameSeed_SameBits_WhateverTheThreads()
    {
        var cells = LearningSamples.Stage("one", 10, 0, 1);
        using var single = new CpuDevice(new CpuOptions { Threads = 1 });
        var a = new StageTrainer(single).Learn(LearningSamples.Fresh(), cells, LearningSamples.Settings, StageCompany.Alone, new LearningContext());
        using var three = new CpuDevice(new CpuOptions { Threads = 3 });
        var b = new StageTrainer(three).Learn(LearningSamples.Fresh(), cells, LearningSamples.Settings, StageCompany.Alone, new LearningContext());
        Assert.Equal(Bytes(a.Model), Bytes(b.Model));
    }

    [Fact]
    public void NothingOfTheDevicesMemoryIsLeftInUse()
    {
        Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 10, 0, 1), LearningSamples.Settings);
        var workers = device.Memory.Used;           // the worker threads keep their scratch
        Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 10, 0, 1), LearningSamples.Settings);
        Assert.Equal(workers, device.Memory.Used);
    }

    public void Dispose()
    {
        device.Dispose();
        temporary.Dispose();
    }

    private StageResult Learn(AnnotationModel previous, StageCells cells, LearningSettings settings) =>
        new StageTrainer(device).Learn(previous, cells, settings, StageCompany.Alone, new LearningContext());

    private byte[] Bytes(AnnotationModel model)
    {
        ModelFile.Save(model, temporary["bytes.safetensors"]);
        return File.ReadAllBytes(temporary["bytes.safetensors"]);
    }

    private sealed class Stopper(CancellationTokenSource cancel, int after) : IProgress<LearningProgress>
    {
        private int reports;

        public void Report(LearningProgress value)
        {
            if (value.Message is not null && ++reports == after) cancel.Cancel();
        }
    }
}
