using Canal.Benchmarks;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Random;
using Canal.Models;

namespace Canal.Tests.Benchmarks;

public sealed class BenchmarkTests
{
    [Fact]
    public void MedianAndP95_AreThoseOfTheSortedRuns()
    {
        var timing = Timing.Of([.. Enumerable.Range(1, 100).Reverse().Select(i => (double)i)]);
        Assert.Equal((100, 51.0, 95.0, 1.0), (timing.Runs, timing.Median, timing.P95, timing.Best));
        Assert.Equal((7.0, 7.0), (Timing.Of([7]).Median, Timing.Of([7]).P95));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(1.01, false)]
    [InlineData(double.PositiveInfinity, false)]
    [InlineData(double.NaN, false)]
    public void ACheckPassesUpToWhatIsAllowed_AndNeverWithNaN(double error, bool passes) => Assert.Equal(passes, new CheckResult("", error).Passed);

    [Fact]
    public void WarmRunsAloneAreTimed()
    {
        var runs = 0;
        var timing = Timing.Measure(() => runs++, 5, 0, CancellationToken.None);
        Assert.Equal((5, 6), (timing.Runs, runs));
    }

    [Fact]
    public void AKernelReachesAShareOfTheLimitThatBinds()
    {
        var result = new BenchmarkResult("a card", null, null, 1000, 100, [], [], []);
        KernelResult Kernel(long flops, long bytes) => new("k", "", new CheckResult("", 0), flops, bytes, new Timing(1, 0.5, 0.5, 0.5));
        Assert.Equal(0.2, result.ShareOfLimit(Kernel(100_000_000_000, 1_000_000_000)), 1e-12);     // 0.1 s of arithmetic, 0.01 s of copying
        Assert.Equal(0.4, result.ShareOfLimit(Kernel(100_000_000_000, 20_000_000_000)), 1e-12);    // 0.2 s of copying
        Assert.True(double.IsNaN(result.ShareOfLimit(Kernel(1, 1) with { Timing = null })));
    }

    [SkippableTheory]
    [InlineData(512)]
    [InlineData(256)]
    [InlineData(128)]
    public void ChecksPassOnEveryVectorWidth(int bits)
    {
        Skip.IfNot(CpuBenchmark.VectorWidths.Contains(bits), $"this processor has no vectors of {bits} bits");
        using var device = new CpuDevice(new CpuOptions { Threads = 2, VectorBits = bits });
        var checks = new KernelChecks(device, ModelConfiguration.ScBert(30), 1);
        foreach (var check in (CheckResult[])[checks.Product(), checks.Gelu(), checks.NormForward(), checks.NormBackward(), checks.AttentionForward(), checks.AttentionBackward(), checks.Block()])
        {
            Assert.True(check.Passed, $"{check}");
        }
        Assert.Equal(0u, device.Memory.Used - Engine.Tensors.MemoryPool.SizeClass(device.Workers.ScratchBytes * 2));
    }

    [Fact]
    public void TheReferenceOfAttention_ReturnsConstantValues_AndFollowsPermutedTokens()
    {
        var sizes = new FavorSizes(2, 5, 2, 4, 6, KeyMaximumScope.Cell);
        double[] Normal(int count, int stream)
        {
            var draws = new RandomSequence(3, RandomPurpose.Testing, index: stream);
            var values = new double[count];
            for (var i = 0; i < count; i++) values[i] = draws.NextNormal();
            return values;
        }
        var n = (int)sizes.Rows.Count;
        var (q, k, v) = (Normal(n, 1), Normal(n, 2), Normal(n, 3));
        var reference = new FavorInFloat64(sizes, Normal(24, 4));
        Assert.All(reference.Forward(q, k, [.. Enumerable.Repeat(2.5, n)]), value => Assert.Equal(2.5, value, 1e-12));
        double[] Swapped(double[] x) => [.. x[8..16], .. x[..8], .. x[16..]];
        var (one, other) = (Swapped(reference.Forward(q, k, v)), reference.Forward(Swapped(q), Swapped(k), Swapped(v)));
        for (var i = 0; i < n; i++) Assert.Equal(one[i], other[i], 1e-12);
    }

    [SkippableFact]
    public void TheProcessPeak_SeesWhatIsAllocated()
    {
        Skip.If(ProcessMemory.PeakBytes() is null, "the system does not tell a process's peak memory");
        Skip.IfNot(ProcessMemory.ResetPeak(), "the system does not let the peak be reset");
        var before = ProcessMemory.PeakBytes()!.Value;
        var block = new byte[256 << 20];
        Array.Fill(block, (byte)1);
        Assert.True(ProcessMemory.PeakBytes()!.Value >= before + (128UL << 20));
        GC.KeepAlive(block);
    }
}
