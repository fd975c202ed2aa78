using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Plan;

/// <summary>
/// Executes nothing and counts: memory through the same pool that real devices use, work as the operations declare it. The real
/// training code run on it is the plan, so that the promise cannot drift from the program. All values read from it are zero.
/// Not counted: the scratch of the CPU's worker threads, some hundred KiB a thread (<see cref="Cpu.WorkerPool.ScratchBytes"/>).
/// </summary>
public sealed class PlanDevice : Device
{
    private readonly Dictionary<string, OperationTotals> totals = new(StringComparer.Ordinal);

    /// <summary>A device whose pool refuses more than <paramref name="memoryLimit"/> bytes, as a real one would; null means no limit.</summary>
    public PlanDevice(nuint? memoryLimit = null) : base(new MemoryPool(new NoMemory(), memoryLimit)) { }

    /// <inheritdoc/>
    public override string Description => "plan, executes nothing";

    /// <summary>The work by the operation's name.</summary>
    public IReadOnlyDictionary<string, OperationTotals> Totals => totals;

    /// <inheritdoc/>
    protected override void Execute<TOp>(in TOp operation, ref OperationDescription description)
    {
        var before = totals.GetValueOrDefault(TOp.Name);
        totals[TOp.Name] = new OperationTotals(before.Runs + 1, before.Flops + description.Flops, before.Bytes + description.Bytes);
        if (description.ScratchBytes > 0) Memory.Rent(description.ScratchBytes).Dispose();
    }

    /// <summary>Does nothing.</summary>
    public override void Copy(Tensor to, Tensor from) { }

    /// <summary>Does nothing.</summary>
    public override void CopyFromHost(Tensor to, ReadOnlySpan<byte> from) { }

    /// <summary>Gives zeros.</summary>
    public override void CopyToHost(Span<byte> to, Tensor from) => to.Clear();

    /// <summary>Does nothing.</summary>
    public override void Synchronise() { }
}
