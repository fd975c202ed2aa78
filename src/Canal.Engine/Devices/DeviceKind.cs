namespace Canal.Engine.Devices;

/// <summary>What kind of device an operation is for: decides its scratch and the element types it takes.</summary>
public enum DeviceKind : byte
{
    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>A CUDA card.</summary>
    Cuda,
}
