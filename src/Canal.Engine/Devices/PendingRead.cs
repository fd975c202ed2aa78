using Canal.Engine.Tensors;

namespace Canal.Engine.Devices;

/// <summary>A copy to the host that was begun: <see cref="Device.ReadLater"/> gives it, <see cref="Device.Collect"/> takes it, once.</summary>
/// <param name="From">What is copied.</param>
/// <param name="Copy">The device's name for it; 0 where the device only copies when asked for the values.</param>
public readonly record struct PendingRead(Tensor From, nint Copy);
