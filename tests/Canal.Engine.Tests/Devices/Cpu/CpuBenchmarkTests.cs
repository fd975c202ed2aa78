using Canal.Engine.Devices.Cpu;

namespace Canal.Engine.Tests.Devices.Cpu;

public sealed class CpuBenchmarkTests
{
    [Fact]
    public void Timing_IsConsistentAndLeavesNoMemoryInUse()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2, VectorBits = 256 });
        var timing = CpuBenchmark.Time(device, 100, 50, 30, seconds: 0.01);
        Assert.Equal((100, 50, 30, 2, 256), (timing.M, timing.N, timing.K, timing.Threads, timing.VectorBits));
        Assert.True(timing.Runs >= 5);
        Assert.InRange(timing.BestSeconds, 1e-9, timing.MedianSeconds);
        Assert.Equal(2e-9 * 100 * 50 * 30 / timing.MedianSeconds, timing.GigaflopsPerSecond, 6);
        // Only the workers' scratch may stay.
        Assert.True(device.Memory.Used <= device.Workers.ScratchBytes * 2 + 4096);
    }

    [Fact]
    public void FastestVectorBits_IsAWidthThatExists()
    {
        Assert.Contains(CpuBenchmark.FastestVectorBits, CpuBenchmark.VectorWidths);
        Assert.All(CpuBenchmark.VectorWidths, bits => Assert.True(CpuBenchmark.TileGigaflopsPerSecond(bits) > 0.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => CpuBenchmark.TileGigaflopsPerSecond(64));
    }
}
