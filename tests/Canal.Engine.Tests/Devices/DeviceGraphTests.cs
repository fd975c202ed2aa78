using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Devices;

public sealed class DeviceGraphTests
{
    [Fact]
    public void A_device_that_cannot_capture_gives_no_graph()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        Assert.Null(device.TryCapture(() => throw new InvalidOperationException("was run")));
    }

    [SkippableFact]
    public void A_graph_computes_what_its_operations_compute_each_time_it_runs()
    {
        using var device = TestDevices.Emulated(CudaPrecision.Fp32);
        var (x, y) = (device.Allocate(new Shape(5)), device.Allocate(new Shape(5)));
        device.Write<float>(x, [1, 2, 3, 4, 5]);
        device.Run(new Fill(y, 0));
        Work();
        var (flops, bytes, operations) = (device.FlopsRun, device.BytesRun, device.OperationsRun);
        Work();
        (flops, bytes, operations) = (device.FlopsRun - flops, device.BytesRun - bytes, device.OperationsRun - operations);
        var before = (device.FlopsRun, device.BytesRun, device.OperationsRun);
        using var graph = device.TryCapture(Work)!;
        Assert.Equal(before, (device.FlopsRun, device.BytesRun, device.OperationsRun));
        Assert.Equal([2, 4, 6, 8, 10], device.Read<float>(y));
        device.Run(graph);
        Assert.Equal((before.FlopsRun + flops, before.BytesRun + bytes, before.OperationsRun + operations), (device.FlopsRun, device.BytesRun, device.OperationsRun));
        device.Write<float>(x, [1, 1, 1, 1, 1]);
        device.Run(graph);
        Assert.Equal([4, 7, 10, 13, 16], device.Read<float>(y));

        // y += x by way of memory that is rented in between.
        void Work()
        {
            var copy = device.Allocate(x.Shape);
            device.Copy(copy, x);
            device.Run(new Add(y, copy));
            copy.Storage.Dispose();
        }
    }

    [SkippableFact]
    public void A_graph_whose_memory_is_in_use_or_gone_does_not_run()
    {
        using var device = TestDevices.Emulated(CudaPrecision.Fp32);
        device.Allocate(new Shape(100)).Storage.Dispose();
        using var graph = device.TryCapture(Work)!;
        Assert.True(graph.CanRun);
        var other = device.Allocate(new Shape(100));
        Assert.False(graph.CanRun);
        Assert.Throws<InvalidOperationException>(() => device.Run(graph));
        // Nor is anything captured while the pool lacks the block.
        Assert.Null(device.TryCapture(Work));
        other.Storage.Dispose();
        device.Run(graph);
        device.Memory.Trim();
        Assert.False(graph.CanRun);

        void Work()
        {
            var rented = device.Allocate(new Shape(100));
            device.Run(new Fill(rented, 1));
            rented.Storage.Dispose();
        }
    }

    [SkippableFact]
    public void What_a_step_must_not_do_ends_the_capture()
    {
        using var device = TestDevices.Emulated(CudaPrecision.Fp32);
        var x = device.Allocate(new Shape(1));
        Assert.Throws<InvalidOperationException>(() => device.TryCapture(() => device.Write<float>(x, [1])));
        device.Run(new Fill(x, 3));
        Assert.Equal([3], device.Read<float>(x));
    }
}
