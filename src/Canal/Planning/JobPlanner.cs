using Canal.Annotation;
using Canal.Data;
using Canal.Engine.Devices.Plan;
using Canal.Learning;
using Canal.Models;

namespace Canal.Planning;

/// <summary>
/// Plans jobs by running their own code (<see cref="Annotator"/>, <see cref="GeneAttentionProfile"/>, <see cref="StageTrainer"/>,
/// <see cref="Pretrainer"/>) on a <see cref="PlanDevice"/>, over cells without tokens: a plan cannot drift from the program.
/// </summary>
/// <param name="memoryLimit">The limit that the job has to keep; null for none.</param>
/// <param name="target">The device that the job will run on.</param>
public sealed class JobPlanner(nuint? memoryLimit, PlanTarget target)
{
    /// <summary>Plans for the processor.</summary>
    /// <param name="memoryLimit">The limit that the job has to keep; null for none.</param>
    /// <param name="workerThreads">Worker threads of the device that the job will run on.</param>
    public JobPlanner(nuint? memoryLimit, int workerThreads) : this(memoryLimit, PlanTarget.Cpu(workerThreads)) { }

    /// <summary>Plans labelling cells.</summary>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public JobPlan Annotate(AnnotationModel model, int cells) => Inference(PlannedJob.Annotate, model, cells, static (device, model, stand) => Label(device, model, stand));

    /// <summary>Plans gene attention of cells by predicted type.</summary>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public JobPlan Explain(AnnotationModel model, int cells) => Inference(PlannedJob.Explain, model, cells, static (device, model, stand) =>
    {
        Label(device, model, stand);
        GeneAttentionProfile.Compute(device, model, stand, [.. stand.CellIds.Select(_ => (string?)model.Library.Names[0])], null, null, null, CancellationToken.None);
    });

    /// <summary>Plans one stage.</summary>
    /// <param name="previous">The model before.</param>
    /// <param name="cells">The stage's cells.</param>
    /// <param name="newTypes">Types that the stage adds.</param>
    /// <param name="settings">How it learns.</param>
    /// <exception cref="UserException">The model would know fewer than two types.</exception>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public JobPlan Learn(AnnotationModel previous, int cells, int newTypes, LearningSettings settings)
    {
        using var stand = StandIns.Cells(previous.Panel, cells, 0, 0);
        string[] types = [.. previous.Library.Names, .. StandIns.Numbered("new type", newTypes)];
        if (types.Length == 0) throw new UserException("A stage needs cell types: the model knows none, so it has to add some.");
        var stage = StagePlanner.Plan(previous, StandIns.Stage(stand, types), settings, memoryLimit, target);
        return Plan(PlannedJob.Learn, previous, cells, settings.Batch, stage.PeakBytes, stage.WorkerScratchBytes, stage.Trainable) with
        {
            Cache = stage.CacheBytes == 0 ? null : new PlannedCache(stage.CacheBytes, stage.CachesInMemory),
            Phases =
            [
                new PlannedPhase("before training: outputs of the frozen blocks, teacher", stage.Before, 1),
                new PlannedPhase("an epoch, with validation", stage.Epoch, settings.MaxEpochs, IsEpoch: true),
                new PlannedPhase("after training: example bank, novelty calibration", stage.After, 1),
            ],
        };
    }

    /// <summary>Plans pre-training.</summary>
    /// <param name="fresh">The new model.</param>
    /// <param name="cells">Cells of all data sets.</param>
    /// <param name="settings">How.</param>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public JobPlan Pretrain(AnnotationModel fresh, int cells, PretrainSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        using var device = new PlanDevice(memoryLimit, target);
        using var stand = StandIns.Cells(fresh.Panel, cells, 0, 0);
        var work = new TrainingWork(device);
        new Pretrainer(device) { Watcher = work }.Pretrain(fresh, [new PretrainSource(stand, StandIns.Name, true)], settings with { MaxEpochs = 1 }, new LearningContext());
        return Plan(PlannedJob.Pretrain, fresh, cells, settings.Batch, device.Memory.HighWater, device.WorkerScratchBytes, Parameters(fresh)) with
        {
            Phases = [new PlannedPhase("an epoch, with validation", work.Epoch, settings.MaxEpochs, IsEpoch: true)],
        };
    }

    // Micro-batches are all of one size, the last one filled up: two of them tell the peak, one tells the work of each.
    private JobPlan Inference(PlannedJob job, AnnotationModel model, int cells, Action<PlanDevice, AnnotationModel, PreparedCells> run)
    {
        var batch = CellTypeInference.BatchFor(model.Configuration.Encoder());
        using var one = new PlanDevice(memoryLimit, target);
        using (var stand = StandIns.Cells(model.Panel, 1, 0, 0)) run(one, model, stand);
        using var two = new PlanDevice(memoryLimit, target);
        using (var stand = StandIns.Cells(model.Panel, 2 * batch, 0, 0)) run(two, model, stand);
        var each = PlannedWork.Of(two).Minus(PlannedWork.Of(one));
        var setUp = PlannedWork.Of(one).Minus(each);
        var phases = new List<PlannedPhase> { new($"micro-batches of {batch} {(batch == 1 ? "cell" : "cells")}", each, ((long)cells + batch - 1) / batch) };
        if (setUp.Flops > 0) phases.Insert(0, new PlannedPhase("set-up", setUp, 1));
        return Plan(job, model, cells, batch, cells > batch ? two.Memory.HighWater : one.Memory.HighWater, two.WorkerScratchBytes) with { Phases = phases };
    }

    private static void Label(PlanDevice device, AnnotationModel model, PreparedCells cells)
    {
        using var annotator = new Annotator(device, model);
        annotator.Annotate(cells, new AnnotationSettings(), null, CancellationToken.None);
    }

    private static long Parameters(AnnotationModel model) => model.Weights.Values.Sum(w => (long)w.Length);

    private JobPlan Plan(PlannedJob job, AnnotationModel model, int cells, int batch, ulong peak, ulong workerScratch, long trainable = 0) => new()
    {
        Job = job,
        Configuration = model.Configuration,
        Parameters = Parameters(model),
        Cells = cells,
        Batch = batch,
        PeakBytes = peak,
        WorkerScratchBytes = workerScratch,
        WorkerThreads = target.WorkerThreads,
        Host = HostMemory.Of(job, model.Configuration, Parameters(model), trainable, cells),
        Phases = [],
    };
}
