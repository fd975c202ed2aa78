using Canal.Engine.Devices;
using Canal.Engine.Devices.Checked;
using Canal.Engine.Devices.Cpu;

namespace Canal.Engine.Tests.Conformance;

/// <summary>The processor: three vector widths, one to seven threads.</summary>
public sealed class CpuDevices : DeviceFamily, IDeviceFamily
{
    public CpuDevices()
    {
        foreach (var bits in new[] { 512, 256, 128 })
        {
            foreach (var threads in new[] { 1, 2, 3, 7 })
            {
                All.Add(new CpuDevice(new CpuOptions { VectorBits = bits, Threads = threads }));
            }
        }
        All.Add(new CheckedDevice(new CpuDevice(new CpuOptions { Threads = 2 })));
    }

    /// <inheritdoc/>
    public static bool HasHalf => false;

    /// <inheritdoc/>
    public override Device Watched => All[2];

    /// <inheritdoc/>
    public override bool Implements(Type operation) => ((CpuDevice)All[0]).Implements(operation);
}
