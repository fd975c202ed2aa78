namespace Canal.Interop.Cuda;

/// <summary>Device memory. Freeing it waits until the device is done with what was asked for before.</summary>
public sealed class CudaMemory : CudaHandle
{
    internal CudaMemory(CudaContext context, nint address, nuint bytes) : base(context, address) => Bytes = bytes;

    /// <summary>Its address on the device.</summary>
    public nint Address => Value;

    /// <summary>Its size.</summary>
    public nuint Bytes { get; }

    private protected override unsafe CudaStatus Destroy(DriverFunctions functions, nint owned) => functions.cuMemFree(owned);
}

/// <summary>Pinned memory of the host.</summary>
public sealed unsafe class CudaHostMemory : CudaHandle
{
    private readonly int bytes;

    internal CudaHostMemory(CudaContext context, nint address, int bytes) : base(context, address) => this.bytes = bytes;

    /// <summary>The memory. Valid until it is disposed; must outlive copies that are still under way.</summary>
    public Span<byte> Bytes => new((void*)Value, bytes);

    private protected override CudaStatus Destroy(DriverFunctions functions, nint owned) => functions.cuMemFreeHost(owned);
}
