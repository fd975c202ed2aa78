using Canal.Interop.Cuda;

namespace Canal.Engine.Devices.Cuda.Driver;

/// <summary>
/// Pinned host memory in a few slots, through which copies to the device go: the host's own memory is free again when <see cref="Copy"/>
/// returns, and the card is not waited for unless all slots are under way.
/// </summary>
internal sealed class PinnedRing : IDisposable
{
    // A training step makes half a dozen copies, most of them small; where frozen outputs come from a file, 14 cells of 1,001 tokens or one of 16,907 are
    // 11 and 14 MB besides. The next step's shall all fit while this one computes.
    private const int Slots = 64, SlotBytes = 256 << 10;
    private readonly CudaStream stream;
    private readonly CudaHostMemory memory;
    private readonly CudaEvent[] copied = new CudaEvent[Slots];
    private int next;

    /// <summary>A ring for copies in the order of <paramref name="stream"/>.</summary>
    public PinnedRing(CudaContext context, CudaStream stream)
    {
        this.stream = stream;
        memory = context.AllocateHost(Slots * SlotBytes);
        for (var i = 0; i < Slots; i++) copied[i] = context.CreateEvent(timing: false);
    }

    /// <summary>Copies host memory to the device, in the stream's order.</summary>
    public void Copy(nint to, ReadOnlySpan<byte> from)
    {
        while (!from.IsEmpty)
        {
            var part = from[..Math.Min(from.Length, SlotBytes)];
            copied[next].Synchronise();
            var slot = memory.Bytes.Slice(next * SlotBytes, part.Length);
            part.CopyTo(slot);
            stream.CopyToDevice(to, slot);
            stream.Record(copied[next]);
            next = (next + 1) % Slots;
            to += part.Length;
            from = from[part.Length..];
        }
    }

    /// <summary>Waits for the copies and gives the memory back.</summary>
    public void Dispose()
    {
        stream.Synchronise();
        foreach (var mark in copied) mark.Dispose();
        memory.Dispose();
    }
}
