using Canal.Engine.Devices.Plan;
using Canal.Models;

namespace Canal.Learning;

/// <summary>What annotation or an epoch of pre-training will take.</summary>
/// <param name="PeakBytes">Most memory that the device's pool will hold.</param>
/// <param name="Flops">Floating-point operations: of all cells, or of one epoch.</param>
public sealed record JobPlan(ulong PeakBytes, long Flops);

/// <summary>Plans annotation and pre-training by running the real code on a device that only counts; stages have a planner of their own.</summary>
public static class JobPlanner
{
    /// <summary>Plans the annotation of a number of cells.</summary>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public static JobPlan Annotate(AnnotationModel model, int cells, nuint? memoryLimit, int workerThreads)
    {
        using var plan = new PlanDevice(memoryLimit, workerThreads);
        using var network = new CellTypeNetwork(plan, model);
        using var inference = new CellTypeInference(network);
        using var predictions = new PredictionBuffers(plan, inference.BatchCells);
        var batch = Enumerable.Range(0, inference.BatchCells).ToArray();
        var before = plan.FlopsRun;
        predictions.Run(inference.Forward(new NoTokens(inference.BatchCells), batch).Logits.Value, 1);
        var batches = ((long)cells + inference.BatchCells - 1) / inference.BatchCells;
        return new JobPlan(plan.Memory.HighWater, (plan.FlopsRun - before) * batches);
    }

    /// <summary>Plans one epoch of pre-training, validation included.</summary>
    /// <exception cref="InsufficientMemoryException">It cannot be done within the limit.</exception>
    public static JobPlan Pretrain(AnnotationModel fresh, int cells, PretrainSettings settings, nuint? memoryLimit, int workerThreads)
    {
        ArgumentNullException.ThrowIfNull(settings);
        using var plan = new PlanDevice(memoryLimit, workerThreads);
        using var network = new MaskedExpressionNetwork(plan, fresh);
        var validation = (int)Math.Floor((settings.ValidationShare * cells) + 0.5);
        var validates = new bool[cells];
        Array.Fill(validates, true, 0, Math.Min(validation, Math.Max(0, cells - 1)));
        var before = plan.FlopsRun;
        new PretrainRun(network, new PretrainCells(new NoTokens(cells), validates, ""), settings with { MaxEpochs = 1 }).Run(new RunContext(null, [], null, CancellationToken.None));
        return new JobPlan(plan.Memory.HighWater, plan.FlopsRun - before);
    }
}
