using Canal.Engine.Devices;

namespace Canal.Learning;

/// <summary>
/// Runs the micro-batches of a task: the first of a kind operation by operation, then, where the device can, recorded once and replayed with one call. A batch
/// of a size that comes once (the last of a pass) is never recorded. Both give the same bits.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="compute">Runs a micro-batch's operations; those depend on its sizes and on the device's memory alone.</param>
/// <param name="discard">Gives back what an unfinished recording holds.</param>
internal sealed class CapturedSteps(Device device, Action<MicroBatch> compute, Action discard) : IDisposable
{
    // A recording fails while somebody else holds memory that the step once had; it is tried again, but not for ever.
    private const int MostTries = 3;

    private readonly Dictionary<MicroBatch, Kind> kinds = [];

    /// <summary>Micro-batches that were replayed so far.</summary>
    public long Replays { get; private set; }

    /// <summary>Runs a micro-batch.</summary>
    public void Run(MicroBatch part)
    {
        if (!device.Captures)
        {
            compute(part);
            return;
        }
        if (!kinds.TryGetValue(part, out var kind))
        {
            // The first of its kind loads kernels and fills the pool.
            kinds.Add(part, new Kind());
            compute(part);
            return;
        }
        if (kind.Graph is { IsLost: true })
        {
            // The pool gave memory back: this run fills it again, the next one records.
            kind.Graph.Dispose();
            (kind.Graph, kind.Tries) = (null, 0);
            compute(part);
            return;
        }
        if (kind.Graph is null && kind.Tries < MostTries)
        {
            kind.Tries++;
            kind.Graph = Capture(part);
        }
        if (kind.Graph is { CanRun: true } graph)
        {
            device.Run(graph);
            Replays++;
        }
        else
        {
            compute(part);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var kind in kinds.Values) kind.Graph?.Dispose();
        kinds.Clear();
    }

    // Apart from Run: a lambda's captured variables are allocated where the method begins.
    private DeviceGraph? Capture(MicroBatch part)
    {
        var graph = device.TryCapture(() => compute(part));
        if (graph is null) discard();
        return graph;
    }

    private sealed class Kind
    {
        public DeviceGraph? Graph { get; set; }

        public int Tries { get; set; }
    }
}
