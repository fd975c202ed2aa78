using Canal.Engine.Devices;
using Canal.Engine.Devices.Checked;
using Canal.Engine.Devices.Cpu;

namespace Canal.Engine.Tests.Conformance;

/// <summary>Every device that must give the same bits: three vector widths, one to seven threads. The first is the one compared with.</summary>
public sealed class TestDevices : IDisposable
{
    public TestDevices()
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

    public List<Device> All { get; } = [];

    public void Dispose()
    {
        foreach (var device in All) device.Dispose();
    }
}
