using System.Runtime.InteropServices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Engine.Devices.Cuda.Driver;
using Canal.Engine.Tensors;
using Canal.Interop.Cublas;
using Canal.Interop.Cuda;
using Canal.Interop.Nvrtc;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Driver;

/// <summary>The runtime of a real card over a stand-in for the driver and cuBLAS that computes in host memory and writes its calls down.</summary>
public sealed class DriverRuntimeTests : IDisposable
{
    private static readonly KernelProgram Program = new("axpy", ["axpy.cu"], []);
    private readonly FakeCuda fake = new();
    private readonly TemporaryFolder folder = new();
    private int compilations;

    public void Dispose()
    {
        fake.Dispose();
        folder.Dispose();
    }

    [SkippableFact]
    public void WhatIsCopiedInPartsComesBackWhole()
    {
        using var runtime = Open();
        var bytes = new byte[(17 << 20) + 77]; // more than the ring holds
        new System.Random(3).NextBytes(bytes);
        var there = runtime.Allocate((nuint)bytes.Length);
        runtime.CopyToDevice(there, bytes);
        var back = new byte[bytes.Length];
        runtime.CopyToHost(back, there);
        Assert.True(bytes.AsSpan().SequenceEqual(back));
        runtime.Free(there, (nuint)bytes.Length);
    }

    [SkippableFact]
    public void ReadsThatWereBegunAreCollectedInAnyOrder_AndTheirMemoryIsUsedAgain()
    {
        using var runtime = Open();
        var there = runtime.Allocate(64);
        runtime.CopyToDevice(there, MemoryMarshal.AsBytes<float>([1, 2, 3, 4]));
        _ = fake.Calls();
        for (var round = 0; round < 3; round++)
        {
            var (first, second) = (runtime.BeginCopyToHost(there, 8), runtime.BeginCopyToHost(there + 4, 12));
            var (one, two) = (new float[2], new float[3]);
            Assert.Throws<ArgumentException>(() => runtime.EndCopyToHost(second, new byte[8]));
            runtime.EndCopyToHost(second, MemoryMarshal.AsBytes(two.AsSpan()));
            runtime.EndCopyToHost(first, MemoryMarshal.AsBytes(one.AsSpan()));
            Assert.Equal([1f, 2f], one);
            Assert.Equal([2f, 3f, 4f], two);
            Assert.ThrowsAny<Exception>(() => runtime.EndCopyToHost(first, new byte[8]));
        }
        var calls = fake.Calls();
        Assert.Equal(2, calls.Count(call => call.StartsWith("cuMemHostAlloc", StringComparison.Ordinal)));
        Assert.DoesNotContain(calls, call => call.StartsWith("cuStreamSynchronize", StringComparison.Ordinal));
        runtime.BeginCapture();
        Assert.Throws<InvalidOperationException>(() => runtime.BeginCopyToHost(there, 8));
        runtime.AbortCapture();
        _ = runtime.BeginCopyToHost(there, 8); // never collected: closing the runtime gives it back
        runtime.Free(there, 64);
    }

    [SkippableFact]
    public void AKernelGetsItsArgumentsInOrder_AndSharedMemoryOnlyWhereItIsAskedFor()
    {
        using var runtime = Open();
        var (y, x) = (runtime.Allocate(64), runtime.Allocate(64));
        runtime.CopyToDevice(y, MemoryMarshal.AsBytes<float>([1, 2, 3, 4]));
        runtime.CopyToDevice(x, MemoryMarshal.AsBytes<float>([10, 20]));
        var axpy = runtime.Load(Program, "axpy");
        _ = fake.Calls();
        Launch(runtime, axpy, y, x, 47 << 10);
        Launch(runtime, axpy, y, x, 48 << 10);
        Launch(runtime, axpy, y, x, 48 << 10);
        Assert.Equal(
            [
                "cuLaunchKernel(grid 3 2 1, block 32 4 1, shared 48128, n 2, a 0.5, offset 1)", "cuFuncSetAttribute(8, 49152)",
                "cuLaunchKernel(grid 3 2 1, block 32 4 1, shared 49152, n 2, a 0.5, offset 1)",
                "cuLaunchKernel(grid 3 2 1, block 32 4 1, shared 49152, n 2, a 0.5, offset 1)",
            ],
            fake.Calls());
        Assert.Equal([1, 2 + 15, 3 + 30, 4], Read(runtime, y, 4));
    }

    [SkippableFact]
    public void ACaptureRunsWhenItIsReplayed_AsOftenAsItIs()
    {
        using var runtime = Open();
        var (y, x) = (runtime.Allocate(64), runtime.Allocate(64));
        runtime.CopyToDevice(y, MemoryMarshal.AsBytes<float>([1, 2, 3, 4]));
        runtime.CopyToDevice(x, MemoryMarshal.AsBytes<float>([10, 20]));
        var axpy = runtime.Load(Program, "axpy");
        runtime.BeginCapture();
        Launch(runtime, axpy, y, x, 0);
        Assert.Throws<InvalidOperationException>(() => runtime.CopyToDevice(y, [1]));
        var graph = runtime.EndCapture();
        Assert.Equal([1, 2, 3, 4], Read(runtime, y, 4));
        runtime.Replay(graph);
        runtime.Replay(graph);
        Assert.Equal([1, 12, 23, 4], Read(runtime, y, 4));
        runtime.FreeGraph(graph);
        Assert.Throws<ObjectDisposedException>(() => runtime.Replay(graph));
    }

    [SkippableFact]
    public void AnErrorInACaptureIsItselfTold_AndTheDeviceGoesOn()
    {
        using var device = new Canal.Engine.Devices.Cuda.CudaDevice(Open(), new CudaOptions());
        fake.Set("fail=cuStreamEndCapture:901"); // what a spoiled recording is told
        Assert.Equal("the cause", Assert.Throws<NotSupportedException>(() => device.TryCapture(() => throw new NotSupportedException("the cause"))).Message);
        Assert.Equal(901, Assert.Throws<CudaException>(() => device.TryCapture(() => { })).Code);
        fake.Set("fail=cuGraphInstantiateWithFlags:2"); // no memory for a graph: the step runs without one
        Assert.Null(device.TryCapture(() => { }));
        fake.Set("fail=");
        var x = device.Allocate(new Shape(100)); // not out of the pool's free blocks, which a recording alone is confined to
        device.Write<float>(x, new float[100]);
        using var graph = device.TryCapture(() => device.Copy(x.Slice(0, 10), x.Slice(10, 10)));
        Assert.NotNull(graph);
        device.Run(graph);
        x.Storage.Dispose();
    }

    [SkippableFact]
    public void AnImageThatTheDriverRefusesIsCompiledAgain_Once()
    {
        using (var first = Open("bad"))
        {
            Assert.Throws<CudaException>(() => first.Load(Program, "axpy"));
        }
        Assert.Equal(2, compilations);
        using var second = Open();
        _ = second.Load(Program, "axpy");
        Assert.Equal(3, compilations);
        using var third = Open();
        _ = third.Load(Program, "axpy");
        Assert.Equal(3, compilations);
    }

    [SkippableFact]
    public void NoMemoryIsTheDevicesOutOfMemory()
    {
        using var runtime = Open();
        fake.Set("fail=cuMemAlloc_v2:2");
        var refused = Assert.Throws<InsufficientMemoryException>(() => runtime.Allocate(1 << 20));
        Assert.Contains("1,048,576 bytes", refused.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void MarksTellTimeInOrder()
    {
        using var runtime = Open();
        var (from, to) = (runtime.Mark(), runtime.Mark());
        Assert.True(runtime.ElapsedMilliseconds(from, to) > 0);
        runtime.FreeMark(from);
        runtime.FreeMark(to);
        Assert.Throws<ObjectDisposedException>(() => runtime.ElapsedMilliseconds(from, to));
    }

    [SkippableFact]
    public void NothingIsLeftBehind()
    {
        using (var runtime = Open())
        {
            _ = runtime.Allocate(1000);
            _ = runtime.Load(Program, "axpy");
            _ = runtime.Mark();
        }
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void NothingIsLeftBehindWhereCublasRefuses()
    {
        fake.Set("fail=cublasCreate_v2:1");
        Assert.Equal(CudaProblem.CublasFailed, Assert.Throws<CudaException>(() => Open()).Problem);
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void AProductIsRowMajor()
    {
        using var runtime = Open();
        var (a, b, c) = (runtime.Allocate(1024), runtime.Allocate(1024), runtime.Allocate(1024));
        runtime.CopyToDevice(a, MemoryMarshal.AsBytes<float>([1, 2, 3, 4, 5, 6]));
        runtime.CopyToDevice(b, MemoryMarshal.AsBytes<float>([1, 0, 2, 0, 1, 3]));
        runtime.CopyToDevice(c, MemoryMarshal.AsBytes<float>([100, 100, 100, 100]));
        runtime.Multiply(new MatrixProduct(2, 2, 3, c, 2, a, 3, b, 3, DType.Float32, DType.Float32, TransposeA: false, TransposeB: true, Accumulate: true, Tf32: false));
        Assert.Equal([107, 111, 116, 123], Read(runtime, c, 4));
    }

    private static void Launch(DriverRuntime runtime, nint kernel, nint y, nint x, int shared)
    {
        var arguments = default(KernelArguments);
        arguments.Add(y).Add(x).Add(2).Add(0.5f).Add(1L);
        runtime.Launch(kernel, new LaunchShape(3, 2, 1, 32, 4, shared), arguments);
    }

    private static float[] Read(DriverRuntime runtime, nint address, int count)
    {
        var values = new float[count];
        runtime.CopyToHost(MemoryMarshal.AsBytes(values.AsSpan()), address);
        return values;
    }

    private DriverRuntime Open(string image = "good")
    {
        var driver = CudaDriver.Load(fake.Path);
        return DriverRuntime.Open(driver, 0, () => CublasLibrary.Load(fake.Path), architecture =>
        {
            var compiler = new KernelCompiler(new NvrtcInformation(new Version(12, 4), "libfake.so", [70, 75, 80, 90]), new Dictionary<string, string> { ["axpy.cu"] = "" }, (_, _) =>
            {
                compilations++;
                return new NvrtcOutput(System.Text.Encoding.UTF8.GetBytes(image), "");
            });
            return new KernelImages(compiler, new KernelCache(folder["kernels"], _ => { }), architecture, driver.Version);
        });
    }
}
