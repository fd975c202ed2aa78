using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Canal.Interop.Cuda;
using Canal.Testing;

namespace Canal.Interop.Tests.Cuda;

/// <summary>Memory, copies, launches, events and graphs through the stand-in, with what reached it.</summary>
public sealed class CudaContextTests : IDisposable
{
    private readonly List<FakeCuda> fakes = [];

    public void Dispose() => fakes.ForEach(fake => fake.Dispose());

    [SkippableFact]
    public void A_kernel_runs_on_what_was_copied()
    {
        var fake = New();
        var driver = CudaDriver.Load(fake.Path);
        float[] y = [1, 2, 3, 4, 5], x = [10, 20, 30];
        using (var context = driver.OpenContext(0))
        using (var stream = context.CreateStream())
        using (var memory = context.Allocate(1024))
        using (var module = context.LoadModule("good"u8, "axpy.cu"))
        {
            var axpy = module.Function("axpy");
            Assert.Equal(("axpy", 72, 16, 1024, 896), (axpy.Name, axpy.Registers, axpy.LocalBytes, axpy.StaticSharedBytes, axpy.MaximumThreadsPerBlock));
            axpy.AllowSharedBytes(100_000);
            Assert.Equal((3_000_000_000UL, 8_000_000_000UL), (context.Memory().Free, context.Memory().Total));
            _ = fake.Calls();

            var there = memory.Address;
            stream.CopyToDevice(there, MemoryMarshal.AsBytes<float>(y));
            stream.CopyToDevice(there + 512, MemoryMarshal.AsBytes<float>(x));
            stream.Launch(axpy, new CudaLaunch(7, 6, 5, 32, 4, 2, 4096), [(ulong)there, (ulong)(there + 512), 3, BitConverter.SingleToUInt32Bits(0.5f), 2]);
            stream.CopyOnDevice(there + 256, there, 20);
            stream.Fill(there, 0x3F, 4);
            var back = new float[5];
            stream.CopyToHost(MemoryMarshal.AsBytes(back.AsSpan()), there + 256);
            stream.Synchronise();
            Assert.Equal([1, 2, 8, 14, 20], back);
            stream.CopyToHost(MemoryMarshal.AsBytes(back.AsSpan(0, 1)), there);
            Assert.Equal(0x3F3F3F3F, BitConverter.SingleToInt32Bits(back[0]));
            stream.CopyToDevice(there, []); // nothing to do, no call
            Assert.Equal(
                [
                    "cuMemcpyHtoDAsync_v2(20)", "cuMemcpyHtoDAsync_v2(12)", "cuLaunchKernel(grid 7 6 5, block 32 4 2, shared 4096, n 3, a 0.5, offset 2)",
                    "cuMemcpyDtoDAsync_v2(20)", "cuMemsetD8Async(63, 4)", "cuMemcpyDtoHAsync_v2(20)", "cuStreamSynchronize()", "cuMemcpyDtoHAsync_v2(4)",
                ],
                fake.Calls());
        }
        Assert.Equal("", fake.Alive());
        Assert.Equal(0, driver.LeakedHandles);
        Assert.Equal(["cuModuleUnload()", "cuMemFree_v2()", "cuStreamDestroy_v2()", "cuDevicePrimaryCtxRelease_v2(1000)"], fake.Calls());
    }

    [SkippableFact]
    public void Things_are_made_with_the_flags_they_need()
    {
        var fake = New();
        using (var context = CudaDriver.Load(fake.Path).OpenContext(0))
        {
            _ = fake.Calls();
            using var stream = context.CreateStream();
            using var timed = context.CreateEvent(timing: true);
            using var untimed = context.CreateEvent(timing: false);
            using var pinned = context.AllocateHost(100);
            pinned.Bytes.Fill(7);
            Assert.Equal((100, 7), (pinned.Bytes.Length, pinned.Bytes[99]));
            Assert.Equal(["cuStreamCreate(1)", "cuEventCreate(0)", "cuEventCreate(2)", "cuMemHostAlloc(100, 0)"], fake.Calls());
        }
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void Events_measure_and_are_waited_for()
    {
        var fake = New();
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        using var stream = context.CreateStream();
        using var other = context.CreateStream();
        using var start = context.CreateEvent(timing: true);
        using var end = context.CreateEvent(timing: true);
        _ = fake.Calls();
        stream.Record(start);
        stream.Record(end);
        other.Wait(end);
        end.Synchronise();
        Assert.Equal(0.5f, end.MillisecondsSince(start)); // start first, then end
        Assert.Equal(-0.5f, start.MillisecondsSince(end));
        Assert.Equal(["cuEventRecord()", "cuEventRecord()", "cuStreamWaitEvent(0)", "cuEventSynchronize()"], fake.Calls()[..4]);
    }

    [SkippableFact]
    public void A_recorded_graph_runs_as_often_as_wanted()
    {
        var fake = New();
        using (var context = CudaDriver.Load(fake.Path).OpenContext(0))
        using (var stream = context.CreateStream())
        using (var memory = context.Allocate(64))
        using (var module = context.LoadModule("good"u8, "axpy.cu"))
        {
            var axpy = module.Function("axpy");
            stream.CopyToDevice(memory.Address, MemoryMarshal.AsBytes<float>([1f, 2f]));
            _ = fake.Calls();
            stream.BeginCapture();
            stream.Launch(axpy, new CudaLaunch(1, 1, 1, 1, 1, 1, 0), [(ulong)memory.Address, (ulong)(memory.Address + 4), 1, BitConverter.SingleToUInt32Bits(1), 0]);
            using var graph = stream.EndCapture();
            Assert.Equal(["cuStreamBeginCapture_v2(1)", "cuLaunchKernel(grid 1 1 1, block 1 1 1, shared 0, n 1, a 1, offset 0)", "cuStreamEndCapture()", "cuGraphInstantiateWithFlags(0)", "cuGraphDestroy()"], fake.Calls());
            Assert.Equal(1, Read(stream, memory)); // recorded, not run
            for (var i = 0; i < 3; i++) stream.Launch(graph);
            Assert.Equal(7, Read(stream, memory));
        }
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void A_spoiled_recording_ends_and_leaves_nothing()
    {
        var fake = New();
        using (var context = CudaDriver.Load(fake.Path).OpenContext(0))
        using (var stream = context.CreateStream())
        {
            stream.BeginCapture();
            fake.Set("fail=cuStreamEndCapture:901");
            Assert.Equal(901, Assert.Throws<CudaException>(stream.EndCapture).Code);
            stream.AbortCapture();
            fake.Set("fail=cuGraphInstantiateWithFlags:2");
            stream.BeginCapture();
            Assert.Equal(CudaProblem.OutOfMemory, Assert.Throws<CudaException>(stream.EndCapture).Problem);
            fake.Set("fail=");
            stream.BeginCapture();
            stream.AbortCapture();
            stream.AbortCapture(); // there is none: nothing happens
            Assert.Equal("context 1, stream 1", fake.Alive());
        }
    }

    [SkippableFact]
    public void Out_of_memory_says_how_much_there_is()
    {
        var fake = New("fail=cuMemAlloc_v2:2,cuMemHostAlloc:2");
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        var refused = Assert.Throws<CudaException>(() => context.Allocate(unchecked((nuint)5_000_000_000)));
        Assert.Equal((CudaProblem.OutOfMemory, 2), (refused.Problem, refused.Code));
        Assert.Equal(
            "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2), out of memory (5,000,000,000 bytes asked for, 3,000,000,000 of 8,000,000,000 are free); "
            + "use smaller batches, set a memory limit, or end other programs on this GPU (nvidia-smi lists them)",
            refused.Message);
        Assert.StartsWith("cuMemHostAlloc: CUDA_ERROR_OUT_OF_MEMORY (2), out of memory (1,000 bytes of pinned host memory asked for);", Assert.Throws<CudaException>(() => context.AllocateHost(1000)).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_context_without_memory_is_out_of_memory_too()
    {
        var fake = New("fail=cuDevicePrimaryCtxRetain:2");
        Assert.Equal(CudaProblem.OutOfMemory, Assert.Throws<CudaException>(() => CudaDriver.Load(fake.Path).OpenContext(0)).Problem);
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void A_refused_program_brings_the_compilers_log()
    {
        var fake = New();
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        _ = fake.Calls();
        var refused = Assert.Throws<CudaException>(() => context.LoadModule(".version 9"u8, "favor.cu"));
        Assert.Equal(["cuModuleLoadDataEx(10 bytes, 2 options)"], fake.Calls()); // ended by a zero byte
        Assert.StartsWith("cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218), a PTX JIT compilation failed (favor.cu: ptxas application ptx input, line 7; fatal   : Parsing error near 'bad'); ", refused.Message, StringComparison.Ordinal);
        Assert.Equal(2, refused.Detail.Split('\n').Length);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [SkippableFact]
    public void A_kernel_that_is_not_there_is_named()
    {
        var fake = New();
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        using var module = context.LoadModule("good"u8, "axpy.cu");
        Assert.StartsWith("cuModuleGetFunction: CUDA_ERROR_NOT_FOUND (500), named symbol not found (saxpy in axpy.cu);", Assert.Throws<CudaException>(() => module.Function("saxpy")).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Errors_of_kernels_show_when_they_are_waited_for()
    {
        var fake = New("fail=cuStreamSynchronize:700");
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        using var stream = context.CreateStream();
        var failed = Assert.Throws<CudaException>(stream.Synchronise);
        Assert.Equal((CudaProblem.CallFailed, 700), (failed.Problem, failed.Code));
        Assert.StartsWith("cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700), an illegal memory access was encountered; a kernel failed", failed.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void The_order_of_disposal_does_not_matter()
    {
        var fake = New();
        var context = CudaDriver.Load(fake.Path).OpenContext(0);
        var stream = context.CreateStream();
        var memory = context.Allocate(16);
        context.Dispose();
        Assert.Throws<ObjectDisposedException>(() => context.CreateStream());
        Assert.Equal("context 1, memory 1, stream 1", fake.Alive()); // its things keep it open
        stream.Fill(memory.Address, 1, 16);
        stream.Dispose();
        Assert.Throws<ObjectDisposedException>(stream.Synchronise);
        memory.Dispose();
        memory.Dispose();
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void Each_thread_gets_the_context_it_calls()
    {
        var fake = New();
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        using var stream = context.CreateStream();
        Exception? failure = null;
        var thread = new Thread(() => failure = Record.Exception(() =>
        {
            stream.Synchronise();
            stream.Synchronise();
        }));
        _ = fake.Calls();
        thread.Start();
        thread.Join();
        Assert.Null(failure);
        Assert.Equal(["cuCtxSetCurrent(context)", "cuStreamSynchronize()", "cuStreamSynchronize()"], fake.Calls());
    }

    [SkippableFact]
    public void Two_drivers_live_in_one_process()
    {
        FakeCuda one = New(), two = New("version=13000");
        using var first = CudaDriver.Load(one.Path).OpenContext(0);
        using var second = CudaDriver.Load(two.Path).OpenContext(0);
        for (var i = 0; i < 2; i++)
        {
            using var a = first.CreateStream();
            using var b = second.CreateStream();
            a.Synchronise();
        }
        Assert.Equal(("context 1", "context 1"), (one.Alive(), two.Alive()));
    }

    [SkippableFact]
    public void What_is_left_to_the_finaliser_is_released_and_counted()
    {
        var fake = New();
        var driver = CudaDriver.Load(fake.Path);
        Abandon(driver);
        for (var i = 0; i < 10 && driver.LeakedHandles < 2; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.Equal(2, driver.LeakedHandles); // the stream and its context
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void Launches_and_copies_allocate_nothing()
    {
        var fake = New();
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        using var stream = context.CreateStream();
        using var memory = context.Allocate(64);
        using var module = context.LoadModule("good"u8, "axpy.cu");
        var axpy = module.Function("axpy");
        Work();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Work();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Work()
        {
            Span<byte> two = stackalloc byte[2];
            stream.Launch(axpy, new CudaLaunch(1, 1, 1, 1, 1, 1, 0), [(ulong)memory.Address, (ulong)memory.Address, 1, 0, 0]);
            stream.CopyToDevice(memory.Address, two);
            stream.CopyToHost(two, memory.Address);
            stream.Synchronise();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Abandon(CudaDriver driver)
    {
        var thread = new Thread(() => _ = driver.OpenContext(0).CreateStream()); // on a thread that ends: none of its variables stays
        thread.Start();
        thread.Join();
    }

    private static float Read(CudaStream stream, CudaMemory memory)
    {
        var value = new float[1];
        stream.CopyToHost(MemoryMarshal.AsBytes(value.AsSpan()), memory.Address);
        return value[0];
    }

    private FakeCuda New(string settings = "")
    {
        var fake = new FakeCuda(settings);
        fakes.Add(fake);
        return fake;
    }
}
