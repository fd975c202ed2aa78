using Canal.Engine.Devices.Plan;
using Canal.Models;
using Canal.Planning;

namespace Canal.Learning;

/// <summary>What a stage will take.</summary>
/// <param name="PeakBytes">Most memory that the device's pool will hold, the scratch of its worker threads included.</param>
/// <param name="WorkerScratchBytes">Scratch of each worker thread, within the peak.</param>
/// <param name="Trainable">Parameters that train.</param>
/// <param name="CachesInMemory">Whether the frozen blocks' outputs fit in memory; else they go to a scratch file.</param>
/// <param name="CacheBytes">Size of those outputs; 0 where no block is frozen.</param>
/// <param name="Before">Work before the first step: caches and teacher.</param>
/// <param name="Epoch">Work of one epoch, validation included.</param>
/// <param name="After">Work after the last epoch: outputs for the bank and the novelty calibration.</param>
public sealed record StagePlan(
    ulong PeakBytes, ulong WorkerScratchBytes, long Trainable, bool CachesInMemory, ulong CacheBytes, PlannedWork Before, PlannedWork Epoch, PlannedWork After);

/// <summary>Plans a stage by running the real training code for one epoch on a device that only counts.</summary>
public static class StagePlanner
{
    /// <summary>Plans a stage.</summary>
    /// <param name="previous">The model before.</param>
    /// <param name="cells">The stage's cells; their tokens are not looked at.</param>
    /// <param name="settings">How it learns.</param>
    /// <param name="memoryLimit">The limit it has to keep; null for none.</param>
    /// <param name="target">The device that it will run on.</param>
    /// <exception cref="UserException">The previous model and the new types make fewer than two.</exception>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public static StagePlan Plan(AnnotationModel previous, StageCells cells, LearningSettings settings, nuint? memoryLimit, PlanTarget target)
    {
        ArgumentNullException.ThrowIfNull(previous);
        ArgumentNullException.ThrowIfNull(cells);
        ArgumentNullException.ThrowIfNull(settings);
        using var plan = new PlanDevice(memoryLimit, target);
        var work = new TrainingWork(plan);
        var run = new StageTrainer(plan) { Watcher = work }.Rehearse(previous, cells with { Tokens = new NoTokens(cells.Count) }, settings);
        return new StagePlan(
            plan.Memory.HighWater, plan.WorkerScratchBytes, run.Trainable, run.PrefixPlace?.InMemory ?? true, run.PrefixPlace?.Bytes ?? 0, work.Before, work.Epoch, work.After);
    }
}
