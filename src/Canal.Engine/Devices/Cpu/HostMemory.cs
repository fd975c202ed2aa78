using System.Runtime.InteropServices;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu;

/// <summary>Native host memory on cache-line boundaries, outside the garbage collector's heap.</summary>
internal sealed unsafe class HostMemory : IMemorySource
{
    /// <summary>Alignment of every block: one cache line, one 512-bit vector.</summary>
    public const int AlignmentBytes = 64;

    public nint Allocate(nuint bytes)
    {
        try
        {
            return (nint)NativeMemory.AlignedAlloc(bytes, AlignmentBytes);
        }
        catch (OutOfMemoryException e)
        {
            throw new InsufficientMemoryException($"The system has no {bytes:N0} bytes of memory left. Lower the batch size or set --memory-limit.", e);
        }
    }

    public void Free(nint pointer, nuint bytes) => NativeMemory.AlignedFree((void*)pointer);
}
