namespace Canal.Engine.Devices.Cuda;

/// <summary>What a kernel's argument is, so that a runtime can check it against the kernel's own declaration.</summary>
public enum ArgumentKind : byte
{
    /// <summary>A device address; zero for an optional tensor that is absent.</summary>
    Pointer,

    /// <summary>A 32-bit integer.</summary>
    Int32,

    /// <summary>A 64-bit integer.</summary>
    Int64,

    /// <summary>A float32.</summary>
    Float32,
}
