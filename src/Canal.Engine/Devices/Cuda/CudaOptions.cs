namespace Canal.Engine.Devices.Cuda;

/// <summary>Settings of a <see cref="CudaDevice"/>.</summary>
public sealed record CudaOptions
{
    /// <summary>Arithmetic.</summary>
    public CudaPrecision Precision { get; init; } = CudaPrecision.Fp32;

    /// <summary>Whether training steps are recorded once and replayed; the bits are the same.</summary>
    public bool CapturesSteps { get; init; } = true;

    /// <summary>Most bytes of device memory, or null for what is free when the device is opened.</summary>
    public nuint? MemoryLimit { get; init; }
}
