using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Plan;

/// <summary>
/// Executes nothing and counts: memory through the same pool that real devices use, work as the operations declare it. The real
/// training code run on it is the plan, so that the promise cannot drift from the program. All values read from it are zero.
/// Kind, worker threads and element types are those of the device that is planned for; its high-water mark is that device's to the byte.
/// </summary>
public sealed class PlanDevice : Device
{
    private readonly Dictionary<string, OperationTotals> totals = new(StringComparer.Ordinal);

    private readonly WorkerScratch workers;

    /// <summary>A device whose pool refuses more than <paramref name="memoryLimit"/> bytes, as a real one would; null means no limit.</summary>
    /// <param name="memoryLimit">Most bytes of the pool.</param>
    /// <param name="target">The device that is planned for; null for a processor without worker threads.</param>
    public PlanDevice(nuint? memoryLimit = null, PlanTarget? target = null) : base(new MemoryPool(new NoMemory(), memoryLimit))
    {
        Target = target ?? PlanTarget.Cpu(0);
        workers = new WorkerScratch(Memory, Target.WorkerThreads);
    }

    /// <summary>The device that is planned for.</summary>
    public PlanTarget Target { get; }

    /// <inheritdoc/>
    public override DeviceKind Kind => Target.Kind;

    /// <inheritdoc/>
    public override int WorkerThreads => Target.WorkerThreads;

    /// <inheritdoc/>
    public override DType ActivationType(bool training) => training ? Target.Training : Target.Forward;

    /// <summary>Bytes of scratch that each worker owns now.</summary>
    public nuint WorkerScratchBytes => workers.Stride;

    /// <inheritdoc/>
    public override string Description => "plan, executes nothing";

    /// <summary>The work by the operation's name.</summary>
    public IReadOnlyDictionary<string, OperationTotals> Totals => totals;

    /// <inheritdoc/>
    protected override void Execute<TOp>(in TOp operation, ref OperationDescription description)
    {
        var before = totals.GetValueOrDefault(TOp.Name);
        totals[TOp.Name] = new OperationTotals(before.Runs + 1, before.Flops + description.Flops, before.Bytes + description.Bytes);
        using var scratch = description.ScratchBytes > 0 ? Memory.Rent(description.ScratchBytes) : null;
        workers.Reserve(description.WorkerScratchBytes);
    }

    /// <summary>Does nothing.</summary>
    public override void Copy(Tensor to, Tensor from) { }

    /// <summary>Does nothing.</summary>
    public override void CopyFromHost(Tensor to, ReadOnlySpan<byte> from) { }

    /// <summary>Gives zeros.</summary>
    public override void CopyToHost(Span<byte> to, Tensor from) => to.Clear();

    /// <summary>Does nothing.</summary>
    public override void Synchronise() { }

    /// <inheritdoc/>
    public override void Dispose()
    {
        workers.Dispose();
        base.Dispose();
    }
}
