using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>A captured step: what a graph cannot hold throws, as on a card; a replay computes the same bits.</summary>
public sealed class CaptureTests
{
    [SkippableFact]
    public void WhatAGraphCannotHoldThrows()
    {
        EmulatedRuntime.Require();
        using var runtime = new EmulatedRuntime();
        var memory = runtime.Allocate(256);
        var host = new byte[256];
        runtime.BeginCapture();
        Throws("allocation", () => runtime.Allocate(256));
        Throws("free", () => runtime.Free(memory, 256));
        Throws("copy from the host", () => runtime.CopyToDevice(memory, host));
        Throws("copy to the host", () => runtime.CopyToHost(host, memory));
        Throws("synchronisation", runtime.Synchronise);
        Throws("second capture", runtime.BeginCapture);
        runtime.FreeGraph(runtime.EndCapture());
        Assert.Throws<InvalidOperationException>(() => runtime.EndCapture());
        runtime.Synchronise();
        runtime.Free(memory, 256);

        static void Throws(string what, Action action) =>
            Assert.Contains(what, Assert.Throws<InvalidOperationException>(action).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void AReplayComputesTheSameBits()
    {
        EmulatedRuntime.Require();
        const int rows = 37, columns = 50, inner = 20;
        var runtime = new EmulatedRuntime(order: 3);
        using var device = new CudaDevice(runtime, new CudaOptions());
        using var c = device.Allocate(DType.Float32, new Shape(rows, columns)).Storage;
        Tensor product = new(c, 0, DType.Float32, new Shape(rows, columns)), a = device.Allocate(DType.Float32, new Shape(rows, inner)), b = device.Allocate(DType.Float32, new Shape(inner, columns));
        device.Write<float>(a, Sample.Normal(1, rows * inner, 0, 1));
        device.Write<float>(b, Sample.Normal(2, inner * columns, 0, 1));
        Step();
        var expected = device.Read<float>(product);

        runtime.BeginCapture();
        var launches = runtime.Launches;
        Step();
        var graph = runtime.EndCapture();
        Assert.Equal(1, runtime.Launches - launches);
        device.Run(new Fill(product, 7));
        Assert.All(device.Read<float>(product), v => Assert.Equal(7, v));
        for (var replay = 0; replay < 2; replay++)
        {
            runtime.Replay(graph);
            Assert.Equal(expected, device.Read<float>(product));
        }

        // Other values in the same memory: a graph holds addresses, not contents.
        device.Write<float>(a, Sample.Normal(3, rows * inner, 0, 1));
        runtime.Replay(graph);
        var replayed = device.Read<float>(product);
        Assert.NotEqual(expected, replayed);
        Step();
        Assert.Equal(device.Read<float>(product), replayed);
        runtime.FreeGraph(graph);
        a.Storage.Dispose();
        b.Storage.Dispose();

        void Step()
        {
            device.Run(new Fill(product, 1));
            device.Run(new MatMul(product, a, b, Accumulate: true));
        }
    }
}
