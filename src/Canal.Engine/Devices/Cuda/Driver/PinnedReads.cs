using Canal.Interop.Cuda;

namespace Canal.Engine.Devices.Cuda.Driver;

/// <summary>Copies from the device through pinned host memory, which go on while the host and the card do other things.</summary>
internal sealed class PinnedReads(CudaContext context, CudaStream stream) : IDisposable
{
    private readonly HandleTable<Landing> underWay = new();
    private readonly List<Landing> free = [];

    /// <summary>Begins a copy in the stream's order.</summary>
    /// <returns>Its number, for <see cref="End"/>.</returns>
    public nint Begin(nint from, int bytes)
    {
        var landing = Take(bytes);
        stream.CopyToHost(landing.Memory.Bytes[..bytes], from);
        stream.Record(landing.Landed);
        landing.Used = bytes;
        return underWay.Add(landing);
    }

    /// <summary>Waits for a copy and takes its bytes.</summary>
    public void End(nint copy, Span<byte> to)
    {
        var landing = underWay[copy];
        if (to.Length != landing.Used) throw new ArgumentException($"A copy of {landing.Used} bytes was begun, not of {to.Length}.");
        underWay.Remove(copy);
        free.Add(landing);
        landing.Landed.Synchronise();
        landing.Memory.Bytes[..to.Length].CopyTo(to);
    }

    /// <summary>Waits for the copies and gives the memory back.</summary>
    public void Dispose()
    {
        stream.Synchronise();
        underWay.Dispose();
        foreach (var landing in free) landing.Dispose();
        free.Clear();
    }

    private Landing Take(int bytes)
    {
        var taken = free.Where(landing => landing.Bytes >= bytes).MinBy(landing => landing.Bytes);
        if (taken is null) return new Landing(context, bytes);
        free.Remove(taken);
        return taken;
    }

    private sealed class Landing(CudaContext context, int bytes) : IDisposable
    {
        public int Bytes => bytes;

        public int Used { get; set; }

        public CudaHostMemory Memory { get; } = context.AllocateHost(bytes);

        public CudaEvent Landed { get; } = context.CreateEvent(timing: false);

        public void Dispose()
        {
            Landed.Dispose();
            Memory.Dispose();
        }
    }
}
