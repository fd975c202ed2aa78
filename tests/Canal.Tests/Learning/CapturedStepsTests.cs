using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Learning;
using Canal.Testing;

namespace Canal.Tests.Learning;

public sealed class CapturedStepsTests
{
    private static readonly MicroBatch Whole = new(7, 7, true, true), Last = new(3, 3, true, true);

    [SkippableFact]
    public void TheSecondOfAKind_IsRecorded_AndReplayedFromThenOn()
    {
        using var device = TestDevices.Emulated(CudaPrecision.Fp32);
        using var counter = new Counter(device);
        foreach (var part in (MicroBatch[])[Whole, Whole, Last, Whole, Whole, Last, Whole]) counter.Steps.Run(part);
        Assert.Equal(7, counter.Value);
        // The first of each kind ran operation by operation.
        Assert.Equal(5, counter.Steps.Replays);
    }

    [SkippableFact]
    public void WhileMemoryIsInUse_StepsRunOperationByOperation_AndAfterItWasGivenBack_TheyAreRecordedAgain()
    {
        using var device = TestDevices.Emulated(CudaPrecision.Fp32);
        using var counter = new Counter(device);
        for (var step = 0; step < 3; step++) counter.Steps.Run(Whole);
        Assert.Equal(2, counter.Steps.Replays);
        var held = device.Allocate(Counter.Rented);
        counter.Steps.Run(Whole);
        Assert.Equal(2, counter.Steps.Replays);
        held.Storage.Dispose();
        counter.Steps.Run(Whole);
        Assert.Equal(3, counter.Steps.Replays);
        device.Memory.Trim();
        for (var step = 0; step < 3; step++) counter.Steps.Run(Whole);
        Assert.Equal(5, counter.Steps.Replays);
        Assert.Equal(8, counter.Value);
    }

    [SkippableFact]
    public void ARecordingThatFails_GivesBackWhatItHolds_AndIsTriedAgain()
    {
        using var device = TestDevices.Emulated(CudaPrecision.Fp32);
        using var counter = new Counter(device);
        counter.Steps.Run(Whole);
        var held = device.Allocate(Counter.Rented);
        counter.Steps.Run(Whole);
        Assert.Equal(0, counter.Steps.Replays);
        held.Storage.Dispose();
        counter.Steps.Run(Whole);
        Assert.Equal((1, 3), (counter.Steps.Replays, counter.Value));
    }

    [Fact]
    public void OnTheProcessor_NothingIsRecorded()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        using var counter = new Counter(device);
        for (var step = 0; step < 4; step++) counter.Steps.Run(Whole);
        Assert.Equal((0, 4), (counter.Steps.Replays, counter.Value));
    }

    /// <summary>A step that adds one, by way of rented memory.</summary>
    private sealed class Counter : IDisposable
    {
        private readonly Device device;
        private readonly Tensor sum;
        private Tensor rented;

        public Counter(Device device)
        {
            this.device = device;
            sum = device.Allocate(new Shape(1));
            device.Run(new Fill(sum, 0));
            Steps = new CapturedSteps(device, Compute, Discard);
        }

        public static Shape Rented { get; } = new(1000);

        public CapturedSteps Steps { get; }

        public float Value => device.Read<float>(sum)[0];

        public void Dispose()
        {
            Steps.Dispose();
            sum.Storage.Dispose();
            Assert.Equal(0u, device.Memory.Used);
        }

        private void Compute(MicroBatch part)
        {
            rented = device.Allocate(Rented);
            device.Run(new Fill(rented, 1));
            device.Run(new Add(sum, rented.Slice(0, 1)));
            Discard();
        }

        private void Discard()
        {
            if (rented.IsNone) return;
            rented.Storage.Dispose();
            rented = Tensor.None;
        }
    }
}
