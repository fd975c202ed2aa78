using Canal.Engine.Tensors;

namespace Canal.Engine.Devices;

/// <summary>
/// Operations that a device recorded once (<see cref="Device.TryCapture"/>) and runs again with one call, on the same memory. The memory that they take and give
/// back goes to the pool between the runs; a graph that finds a block of it in use, or gone, does not run.
/// </summary>
public sealed class DeviceGraph : IDisposable
{
    private readonly Device device;
    private readonly Storage[] blocks;
    private bool disposed;

    internal DeviceGraph(Device device, nint handle, IReadOnlyCollection<Storage> blocks) => (this.device, Handle, this.blocks) = (device, handle, [.. blocks]);

    internal nint Handle { get; }

    internal long Flops { get; init; }

    internal long Bytes { get; init; }

    internal long Operations { get; init; }

    /// <summary>Whether it can run now: all memory that it works in is free.</summary>
    public bool CanRun
    {
        get
        {
            foreach (var block in blocks)
            {
                if (block.IsRented || block.IsGone) return false;
            }
            return !disposed;
        }
    }

    /// <summary>Whether memory that it works in was given back by the pool: it will never run again.</summary>
    public bool IsLost
    {
        get
        {
            foreach (var block in blocks)
            {
                if (block.IsGone) return true;
            }
            return disposed;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        device.Free(this);
    }
}
