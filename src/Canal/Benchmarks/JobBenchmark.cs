using System.Diagnostics;
using Canal.Annotation;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Learning;
using Canal.Planning;

namespace Canal.Benchmarks;

/// <summary>Times whole jobs through the classes that do them, each on a device of its own so that its memory is its own.</summary>
internal sealed class JobBenchmark(Func<Device> open, BenchmarkSettings settings, IProgress<LearningProgress>? progress, CancellationToken stop)
{
    private const int KnownTypes = 10, NewTypes = 2;

    // Expressed genes of a panel of highly variable ones: about what blood cells have.
    private const int ExpressedOneIn = 5;

    /// <summary>Labelling: micro-batches of the size that the annotator always takes.</summary>
    public JobResult Annotate(int genes) => Measured((device, timing) =>
    {
        var model = StandIns.AfterStageOne(settings.Model with { Genes = genes }, KnownTypes, 0, settings.Seed);
        var cells = CellTypeInference.BatchFor(model.Configuration.Encoder());
        Say($"annotate, {genes + 1:N0} tokens");
        using var stand = StandIns.Cells(model.Panel, cells, genes / ExpressedOneIn, settings.Seed);
        using var annotator = new Annotator(device, model);
        var before = device.FlopsRun;
        annotator.Annotate(stand, new AnnotationSettings(), null, stop);
        var flops = device.FlopsRun - before;
        timing(Timing.Measure(() => annotator.Annotate(stand, new AnnotationSettings(), null, stop), settings.Quick ? 2 : 8, 0, stop), flops);
        return ("annotate", "a micro-batch", genes + 1, cells);
    });

    /// <summary>A step of a second stage, from its second epoch on: frozen outputs and teacher come from their caches.</summary>
    public JobResult Train() => Measured((device, timing) =>
    {
        var model = StandIns.AfterStageOne(settings.Model, KnownTypes, 2 * (KnownTypes + NewTypes), settings.Seed);
        string[] types = [.. model.Library.Names, .. StandIns.Numbered("new type", NewTypes)];
        // A fifth of each type validates; the rest and the bank make a few steps an epoch.
        using var stand = StandIns.Cells(model.Panel, types.Length * (settings.Quick ? 5 : 8), model.Panel.Count / ExpressedOneIn, settings.Seed);
        Say($"training step, {settings.Batch} cells of {model.Panel.Count + 1:N0} tokens, stage 2");
        var watch = new StepWatch(device, settings.Batch);
        var learning = new LearningSettings { MaxEpochs = settings.Quick ? 2 : 3, Batch = settings.Batch, BankCapacity = model.Bank.Capacity, Seed = settings.Seed };
        new StageTrainer(device) { Watcher = watch }.Learn(model, StandIns.Stage(stand, types), learning, StageCompany.Alone, new LearningContext { Cancel = stop });
        timing(Timing.Of(watch.Seconds), watch.Flops);
        return ("train, stage 2", "a step", model.Panel.Count + 1, settings.Batch);
    });

    /// <summary>A step of masked-expression pre-training: all blocks train.</summary>
    public JobResult Pretrain() => Measured((device, timing) =>
    {
        var model = StandIns.Fresh(settings.Model, settings.Seed);
        using var stand = StandIns.Cells(model.Panel, (settings.Quick ? 1 : 3) * settings.Batch * 20 / 19 + 1, model.Panel.Count / ExpressedOneIn, settings.Seed);
        Say($"pre-training step, {settings.Batch} cells of {model.Panel.Count + 1:N0} tokens");
        var watch = new StepWatch(device, settings.Batch);
        var pretraining = new PretrainSettings { MaxEpochs = settings.Quick ? 2 : 3, Batch = settings.Batch, Accumulation = 1, Seed = settings.Seed };
        new Pretrainer(device) { Watcher = watch }.Pretrain(model, [new PretrainSource(stand, StandIns.Name, true)], pretraining, new LearningContext { Cancel = stop });
        timing(Timing.Of(watch.Seconds), watch.Flops);
        return ("pre-train", "a step", model.Panel.Count + 1, settings.Batch);
    });

    private JobResult Measured(Func<Device, Action<Timing, long>, (string Name, string Unit, int Tokens, int Cells)> run)
    {
        GC.Collect();
        ProcessMemory.ResetPeak();
        using var device = open();
        (Timing Timing, long Flops)? measured = null;
        var (name, unit, tokens, cells) = run(device, (timing, flops) => measured = (timing, flops));
        var memory = new JobMemory(device.Memory.HighWater, device is CpuDevice cpu ? cpu.Workers.ScratchBytes * (nuint)cpu.Workers.Threads : 0, ProcessMemory.PeakBytes());
        return new JobResult(name, unit, tokens, cells, measured!.Value.Flops, measured.Value.Timing, memory);
    }

    private void Say(FormattableString what) => progress?.Report(LearningProgress.Say(what.ToString(System.Globalization.CultureInfo.InvariantCulture)));

    /// <summary>Times steps over full batches, from the second epoch on.</summary>
    private sealed class StepWatch(Device device, int batch) : ITaskWatcher
    {
        private long from, flopsBefore;
        private bool warm;

        public List<double> Seconds { get; } = [];

        public long Flops { get; private set; }

        public void StepBegins(int cells)
        {
            device.Synchronise();
            flopsBefore = device.FlopsRun;
            from = Stopwatch.GetTimestamp();
        }

        public void StepEnds(int cells)
        {
            device.Synchronise();
            var seconds = Stopwatch.GetElapsedTime(from).TotalSeconds;
            if (!warm || cells != batch) return;
            Seconds.Add(seconds);
            // A step that is replayed as a whole declares nothing: the one that was recorded did.
            Flops = Math.Max(Flops, device.FlopsRun - flopsBefore);
        }

        public void EpochEnds() => warm = true;
    }
}
