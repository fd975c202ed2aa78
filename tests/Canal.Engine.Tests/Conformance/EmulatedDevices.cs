using Canal.Engine.Devices;
using Canal.Engine.Devices.Checked;
using Canal.Engine.Devices.Cuda;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Conformance;

/// <summary>The CUDA device on the emulator: several orders of threads, numbers of workers and sizes of card.</summary>
public sealed class EmulatedDevices : DeviceFamily, IDeviceFamily
{
    public EmulatedDevices()
    {
        if (!EmulatedRuntime.IsPossible) return;
        All.Add(new CudaDevice(new EmulatedRuntime(order: 0), new CudaOptions()));
        All.Add(new CudaDevice(new EmulatedRuntime(order: 1, workers: 2, multiprocessors: 1), new CudaOptions()));
        All.Add(new CudaDevice(new EmulatedRuntime(order: 17, workers: 2, multiprocessors: 3), new CudaOptions()));
        All.Add(new CheckedDevice(new CudaDevice(new EmulatedRuntime(order: 5), new CudaOptions())));
    }

    /// <inheritdoc/>
    public static bool HasHalf => true;

    /// <inheritdoc/>
    public override Device Watched => All[0];

    /// <inheritdoc/>
    public override void Require() => EmulatedRuntime.Require();

    /// <inheritdoc/>
    public override bool Implements(Type operation) => CudaDevice.Implements(operation);
}
