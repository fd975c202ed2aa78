namespace Canal.Engine.Devices.Cuda;

/// <summary>Settings of a <see cref="CudaDevice"/>.</summary>
public sealed record CudaOptions
{
    /// <summary>Arithmetic.</summary>
    public CudaPrecision Precision { get; init; } = CudaPrecision.Fp32;

    /// <summary>Most bytes of device memory, or null for what there is.</summary>
    public nuint? MemoryLimit { get; init; }
}
