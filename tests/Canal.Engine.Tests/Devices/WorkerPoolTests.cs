using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Devices;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public unsafe void EveryIndexRunsOnceInManyTinyRuns(int threads)
    {
        using var device = new CpuDevice(new CpuOptions { Threads = threads });
        const int longest = 40;
        var counts = stackalloc int[longest];
        for (var run = 0; run < 3000; run++)
        {
            var count = run % (longest + 1);
            new Span<int>(counts, longest).Clear();
            var body = new CountBody { Counts = counts };
            device.Workers.Run(ref body, count);
            for (var i = 0; i < longest; i++) Assert.Equal(i < count ? 1 : 0, counts[i]);
        }
    }

    [Fact]
    public void WorkersOutsideTheRangeNeverAppear()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 5 });
        device.Workers.ReserveScratch(100);
        var body = new ScratchBody { Pool = device.Workers, Seen = new int[5] };
        for (var run = 0; run < 200; run++) device.Workers.Run(ref body, 50);
        Assert.Equal(200 * 50, body.Seen.Sum());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void AnExceptionReachesTheCallerAndThePoolLivesOn(int threads)
    {
        using var device = new CpuDevice(new CpuOptions { Threads = threads });
        for (var run = 0; run < 50; run++)
        {
            var failing = new FailBody { At = run };
            var thrown = Assert.Throws<ArithmeticException>(() => device.Workers.Run(ref failing, 100));
            Assert.Equal($"at {run}", thrown.Message);
            var body = new ScratchBody { Pool = device.Workers, Seen = new int[threads] };
            device.Workers.ReserveScratch(100);
            device.Workers.Run(ref body, 10);
            Assert.Equal(10, body.Seen.Sum());
        }
    }

    [Fact]
    public void ARunWithinARunIsRefused()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var body = new NestedBody { Pool = device.Workers };
        Assert.Throws<InvalidOperationException>(() => device.Workers.Run(ref body, 4));
    }

    [Fact]
    public void ScratchBeyondTheReserveIsRefused()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        device.Workers.ReserveScratch(5000);
        Assert.Equal(0, device.Workers.Scratch(1, 5000) % 64);
        Assert.True(device.Workers.Scratch(1, 1) - device.Workers.Scratch(0, 1) >= 5000);
        Assert.Throws<InvalidOperationException>(() => device.Workers.Scratch(0, device.Workers.ScratchBytes + 1));
        Assert.True(device.Memory.Used >= 2 * device.Workers.ScratchBytes);
    }

    [Fact]
    public void RunsAllocateNothing()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 3 });
        var y = device.Allocate(new Shape(100_000));
        device.Run(new Fill(y, 1));
        device.Run(new Add(y, y));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var run = 0; run < 100; run++)
        {
            device.Run(new Fill(y, 1));
            device.Run(new Add(y, y));
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(2f, device.Read<float>(y)[99_999]);
        y.Storage.Dispose();
    }

    [Fact]
    public void SleepingWorkersWakeUp()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        device.Workers.ReserveScratch(100);
        for (var run = 0; run < 20; run++)
        {
            Thread.Sleep(2);
            var body = new ScratchBody { Pool = device.Workers, Seen = new int[2] };
            device.Workers.Run(ref body, 8);
            Assert.Equal(8, body.Seen.Sum());
        }
    }

    private unsafe struct CountBody : IParallelBody
    {
        public int* Counts;

        public readonly void Run(int index, int worker) => Interlocked.Increment(ref Counts[index]);
    }

    private struct ScratchBody : IParallelBody
    {
        public WorkerPool Pool;
        public int[] Seen;

        public readonly unsafe void Run(int index, int worker)
        {
            var mine = (int*)Pool.Scratch(worker, 100);
            mine[0] = index;
            Seen[worker]++;
            Thread.SpinWait(20);
            if (mine[0] != index) throw new InvalidOperationException("Two workers share their scratch.");
        }
    }

    private struct FailBody : IParallelBody
    {
        public int At;

        public readonly void Run(int index, int worker)
        {
            if (index == At) throw new ArithmeticException($"at {index}");
        }
    }

    private struct NestedBody : IParallelBody
    {
        public WorkerPool Pool;

        public void Run(int index, int worker) => Pool.Run(ref this, 2);
    }
}
