using Canal.Engine.Devices.Plan;

namespace Canal.Planning;

/// <summary>Work that a plan counted: by operation, how often, how many floating-point operations and bytes.</summary>
/// <param name="Totals">By the operation's name.</param>
public sealed record PlannedWork(IReadOnlyDictionary<string, OperationTotals> Totals)
{
    /// <summary>No work.</summary>
    public static PlannedWork None { get; } = new(new SortedDictionary<string, OperationTotals>(StringComparer.Ordinal));

    /// <summary>Floating-point operations, an FMA counted as two.</summary>
    public long Flops => Totals.Values.Sum(t => t.Flops);

    /// <summary>Bytes that must move at least once.</summary>
    public long Bytes => Totals.Values.Sum(t => t.Bytes);

    /// <summary>Everything that a device counted so far.</summary>
    public static PlannedWork Of(PlanDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return new(new SortedDictionary<string, OperationTotals>(device.Totals.ToDictionary(), StringComparer.Ordinal));
    }

    /// <summary>This work without an earlier part of it.</summary>
    public PlannedWork Minus(PlannedWork earlier) => Combine(earlier, -1);

    /// <summary>Both, one after the other.</summary>
    public PlannedWork Plus(PlannedWork other) => Combine(other, 1);

    /// <summary>This work a number of times.</summary>
    public PlannedWork Times(long count) => new(new SortedDictionary<string, OperationTotals>(
        Totals.ToDictionary(t => t.Key, t => new OperationTotals(t.Value.Runs * count, t.Value.Flops * count, t.Value.Bytes * count)), StringComparer.Ordinal));

    private PlannedWork Combine(PlannedWork other, int sign)
    {
        var sum = new SortedDictionary<string, OperationTotals>(Totals.ToDictionary(), StringComparer.Ordinal);
        foreach (var (name, work) in other.Totals)
        {
            var mine = sum.GetValueOrDefault(name);
            sum[name] = new OperationTotals(mine.Runs + (sign * work.Runs), mine.Flops + (sign * work.Flops), mine.Bytes + (sign * work.Bytes));
        }
        return new PlannedWork(sum);
    }
}

/// <summary>Divides the work of a training run into what comes before the first step, one epoch, and what comes after.</summary>
internal sealed class TrainingWork(PlanDevice device) : Learning.ITaskWatcher
{
    private PlannedWork? atFirstStep, atEpochEnd;

    /// <summary>Before the first step: caches and teacher.</summary>
    public PlannedWork Before => atFirstStep!;

    /// <summary>The first epoch, validation included.</summary>
    public PlannedWork Epoch => atEpochEnd!.Minus(atFirstStep!);

    /// <summary>After that epoch, up to now.</summary>
    public PlannedWork After => PlannedWork.Of(device).Minus(atEpochEnd!);

    /// <inheritdoc/>
    public void StepBegins(int cells) => atFirstStep ??= PlannedWork.Of(device);

    /// <inheritdoc/>
    public void StepEnds(int cells) { }

    /// <inheritdoc/>
    public void EpochEnds() => atEpochEnd ??= PlannedWork.Of(device);
}
