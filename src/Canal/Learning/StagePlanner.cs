using System.Globalization;
using Canal.Engine.Devices.Plan;
using Canal.Models;

namespace Canal.Learning;

/// <summary>What a stage will take.</summary>
/// <param name="PeakBytes">Most memory that the device's pool will hold, the scratch of its worker threads included.</param>
/// <param name="CachesInMemory">Whether the frozen blocks' outputs fit in memory; else they go to a scratch file.</param>
/// <param name="CacheBytes">Size of those outputs; 0 where no block is frozen.</param>
/// <param name="FlopsBefore">Floating-point operations before the first step: caches and teacher.</param>
/// <param name="FlopsPerEpoch">Floating-point operations of one epoch, validation included.</param>
public sealed record StagePlan(ulong PeakBytes, bool CachesInMemory, ulong CacheBytes, long FlopsBefore, long FlopsPerEpoch);

/// <summary>Plans a stage by running the real training code for one epoch on a device that only counts.</summary>
public static class StagePlanner
{
    /// <summary>Plans a stage.</summary>
    /// <param name="previous">The model before.</param>
    /// <param name="cells">Number of the stage's cells.</param>
    /// <param name="newTypes">Types that the stage adds.</param>
    /// <param name="settings">How it learns.</param>
    /// <param name="memoryLimit">The limit it has to keep; null for none.</param>
    /// <param name="workerThreads">Worker threads of the device that it will run on (<see cref="Engine.Devices.Device.WorkerThreads"/>).</param>
    /// <exception cref="UserException">The previous model and the new types make fewer than two.</exception>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public static StagePlan Plan(AnnotationModel previous, int cells, int newTypes, LearningSettings settings, nuint? memoryLimit, int workerThreads)
    {
        ArgumentNullException.ThrowIfNull(previous);
        ArgumentNullException.ThrowIfNull(settings);
        string[] types = [.. previous.Library.Names, .. Enumerable.Range(1, newTypes).Select(t => string.Create(CultureInfo.InvariantCulture, $"planned type {t}"))];
        string[] labels = [.. Enumerable.Range(0, cells).Select(c => types[c % types.Length])];
        string[] ids = [.. Enumerable.Range(0, cells).Select(c => c.ToString(CultureInfo.InvariantCulture))];
        return Plan(previous, new StageCells("plan", new NoTokens(cells), ids, labels, ""), settings, memoryLimit, workerThreads);
    }

    /// <summary>Plans a stage over cells that are there already.</summary>
    public static StagePlan Plan(AnnotationModel previous, StageCells cells, LearningSettings settings, nuint? memoryLimit, int workerThreads)
    {
        using var plan = new PlanDevice(memoryLimit, workerThreads);
        var run = new StageTrainer(plan).Rehearse(previous, cells with { Tokens = new NoTokens(cells.Count) }, settings);
        return new StagePlan(
            plan.Memory.HighWater, run.PrefixPlace?.InMemory ?? true, run.PrefixPlace?.Bytes ?? 0, run.FlopsBeforeTraining, run.FlopsAfterTraining - run.FlopsBeforeTraining);
    }
}
