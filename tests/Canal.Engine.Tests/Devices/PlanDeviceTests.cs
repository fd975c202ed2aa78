using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Plan;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Devices;

public sealed class PlanDeviceTests
{
    [Fact]
    public void CountsWhatTheProcessorDoes()
    {
        using var plan = new PlanDevice();
        using var real = new CpuDevice(new CpuOptions { Threads = 2 });
        Work(plan);
        Work(real);
        Assert.Equal((real.FlopsRun, real.BytesRun, real.OperationsRun), (plan.FlopsRun, plan.BytesRun, plan.OperationsRun));
        Assert.Equal((real.Memory.HighWater, real.Memory.Used, real.Memory.SourceAllocations), (plan.Memory.HighWater, plan.Memory.Used, plan.Memory.SourceAllocations));
        Assert.Equal(new OperationTotals(3, 3 * 600 * 40, 3 * ((600 * 40) + (2 * 40)) * sizeof(float)), plan.Totals["column_sum"]);
        Assert.Equal(1, plan.Totals["fill"].Runs);
    }

    [Fact]
    public void ReadsZerosAndRefusesWrongShapes()
    {
        using var plan = new PlanDevice();
        var x = plan.Allocate(new Shape(3));
        plan.Write<float>(x, [1, 2, 3]);
        Assert.Equal(new float[3], plan.Read<float>(x));
        Assert.Throws<ArgumentException>(() => plan.Run(new Add(x, plan.Allocate(new Shape(4)))));
    }

    [Fact]
    public void TheLimitHoldsBeforeAnyMemoryIsTaken()
    {
        using var plan = new PlanDevice(memoryLimit: 1 << 20);
        plan.Allocate(new Shape(1 << 17));
        Assert.Throws<InsufficientMemoryException>(() => plan.Allocate(new Shape(1 << 18)));
    }

    private static void Work(Device device)
    {
        var x = device.Allocate(new Shape(600, 40));
        var sum = device.Allocate(new Shape(40));
        device.Run(new Fill(x, 1));
        for (var i = 0; i < 3; i++) device.Run(new ColumnSum(sum, x));
        sum.Storage.Dispose();
        x.Storage.Dispose();
    }
}
