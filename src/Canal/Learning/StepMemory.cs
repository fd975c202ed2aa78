using Canal.Engine.Devices;
using Canal.Engine.Devices.Plan;
using Canal.Engine.Optimizers;
using Canal.Models;

namespace Canal.Learning;

/// <summary>What a training step takes, measured by running the real one on a device that only counts.</summary>
/// <param name="Bytes">Most memory beyond the network and its gradients: optimiser, buffers, activations.</param>
/// <param name="Flops">Floating-point operations of one step.</param>
internal sealed record StepMemory(nuint Bytes, long Flops)
{
    /// <summary>Plans one step and one validation batch.</summary>
    /// <param name="device">The device that it is planned for.</param>
    /// <param name="model">The network.</param>
    /// <param name="trainable">What trains.</param>
    /// <param name="settings">How a step computes.</param>
    /// <param name="caches">Whether frozen blocks' outputs are read from a cache.</param>
    /// <param name="teacher">Whether there is a teacher.</param>
    public static StepMemory Of(Device device, AnnotationModel model, TrainableSet trainable, StepSettings settings, bool caches, bool teacher)
    {
        using var plan = new PlanDevice(null, PlanTarget.Of(device));
        using var network = new CellTypeNetwork(plan, model);
        network.Parameters.Train(trainable);
        var before = plan.Memory.Used;
        var cells = Enumerable.Range(0, settings.Batch).ToArray();
        var pool = new StagePool(new NoTokens(settings.Batch), new int[settings.Batch], cells, cells);
        using var prefix = caches && network.Encoder.FrozenBlocks > 0 ? ActivationCache.Create(plan, settings.Batch, network.ActivationWidth, 0, "") : null;
        using var representations = teacher ? ActivationCache.Create(plan, settings.Batch, network.RepresentationWidth, 0, "") : null;
        using var task = new StageTask(network, pool, settings, prefix, representations is null ? null : new CachedTeacher(representations));
        var flops = plan.FlopsRun;
        task.Step(cells, 0, 0, 1e-4);
        flops = plan.FlopsRun - flops;
        task.Validate(CancellationToken.None);
        return new StepMemory(plan.Memory.HighWater - before, flops);
    }
}

/// <summary>Cells without a token, for planning.</summary>
internal sealed class NoTokens(int cells) : ICellTokens
{
    public int Count => cells;

    public int EntryCount(int cell) => 0;

    public void CopyTo(int cell, Span<ushort> positions, Span<byte> bins) { }
}
