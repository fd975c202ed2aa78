using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Plan;

/// <summary>Memory that is only counted: every block is at address zero.</summary>
internal sealed class NoMemory : IMemorySource
{
    public nint Allocate(nuint bytes) => 0;

    public void Free(nint pointer, nuint bytes) { }
}
