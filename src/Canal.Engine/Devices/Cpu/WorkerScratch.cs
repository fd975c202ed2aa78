using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// Scratch of a crew of workers, each its own pages of one block of the device's pool: grows to the largest operation and stays. The same
/// code runs in a plan, so that a plan's high-water mark is the device's.
/// </summary>
internal sealed class WorkerScratch(MemoryPool memory, int threads) : IDisposable
{
    private const nuint PageBytes = 4096;
    private Storage? block;

    /// <summary>Bytes that each worker owns now.</summary>
    public nuint Stride { get; private set; }

    /// <summary>Makes sure that each worker owns at least <paramref name="bytes"/> bytes; contents are lost where it grows.</summary>
    public void Reserve(nuint bytes)
    {
        if (bytes <= Stride || threads == 0) return;
        var stride = (bytes + PageBytes - 1) / PageBytes * PageBytes;
        Dispose();
        block = memory.Rent(stride * (nuint)threads);
        Stride = stride;
    }

    /// <summary>Address of a worker's scratch.</summary>
    public nint Of(int worker) => block!.Pointer + (nint)(Stride * (nuint)worker);

    /// <inheritdoc/>
    public void Dispose()
    {
        block?.Dispose();
        block = null;
        Stride = 0;
    }
}
