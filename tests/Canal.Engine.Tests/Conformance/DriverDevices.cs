using Canal.Engine.Devices;
using Canal.Engine.Devices.Checked;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance;

/// <summary>The CUDA device on the first card of this machine, twice.</summary>
public sealed class DriverDevices : DeviceFamily, IDeviceFamily
{
    public DriverDevices()
    {
        if (!CardForTests.IsThere) return;
        All.Add(CardForTests.Open());
        All.Add(new CheckedDevice(CardForTests.Open()));
    }

    /// <inheritdoc/>
    public static bool HasHalf => true;

    /// <inheritdoc/>
    public static bool IsThere => CardForTests.IsThere;

    /// <inheritdoc/>
    public override Device Watched => All[0];

    /// <inheritdoc/>
    public override void Require() => CardForTests.Require();

    /// <inheritdoc/>
    public override bool Implements(Type operation) => CudaDevice.Implements(operation);

    /// <inheritdoc/>
    public override bool SameBitsHoweverAligned(Type operation) => operation != typeof(MatMul);
}
