using Canal.Engine.Devices.Cpu;
using Canal.Engine.Tensors;
using Canal.Learning;
using Canal.Testing;

namespace Canal.Tests.Learning;

public sealed class ActivationCacheTests : IDisposable
{
    private const nuint Limit = 1 << 20;
    private readonly TemporaryFolder temporary = new();

    [Fact]
    public void TwoScratchFilesInOneFolder_KeepTheirOwnRows_AndLeaveNoName()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1, MemoryLimit = Limit });
        var folder = temporary["scratch"];
        using var first = ActivationCache.Create(device, 4, 8, Limit, folder);
        using var second = ActivationCache.Create(device, 4, 8, Limit, folder);
        Assert.False(first.InMemory || second.InMemory);
        if (!OperatingSystem.IsWindows()) Assert.Empty(Directory.GetFileSystemEntries(folder));
        var rows = device.Allocate(new Shape(4, 8));
        foreach (var (cache, start) in new[] { (first, 0f), (second, 100f) })
        {
            device.Write<float>(rows, [.. Enumerable.Range(0, 32).Select(i => start + i)]);
            cache.Write(0, rows);
        }
        foreach (var (cache, start) in new[] { (first, 0f), (second, 100f) })
        {
            cache.Read([3, 0], rows.Slice(0, 2));
            Assert.Equal([.. Enumerable.Range(24, 8).Concat(Enumerable.Range(0, 8)).Select(i => start + i)], device.Read<float>(rows.Slice(0, 2)));
        }
        rows.Storage.Dispose();
    }

    public void Dispose() => temporary.Dispose();
}
