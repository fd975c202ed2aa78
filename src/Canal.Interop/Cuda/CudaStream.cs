using System.Runtime.CompilerServices;

namespace Canal.Interop.Cuda;

/// <summary>An order of execution on the device. Everything asked for returns before it is done, unless it says otherwise. Allocates nothing.</summary>
public sealed unsafe class CudaStream : CudaHandle
{
    internal CudaStream(CudaContext context, nint created) : base(context, created) { }

    /// <summary>Launches a kernel.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="launch">Grid, block, shared memory.</param>
    /// <param name="arguments">Its arguments in the order of its declaration, 8 bytes each, the value in the low ones. As many as it declares: the driver reads on.</param>
    [SkipLocalsInit]
    public void Launch(CudaFunction function, in CudaLaunch launch, ReadOnlySpan<ulong> arguments)
    {
        ArgumentNullException.ThrowIfNull(function);
        var pointers = stackalloc void*[arguments.Length];
        fixed (ulong* first = arguments)
        {
            for (var i = 0; i < arguments.Length; i++) pointers[i] = first + i;
            var status = Context.Enter().cuLaunchKernel(
                function.Value, (uint)launch.GridX, (uint)launch.GridY, (uint)launch.GridZ, (uint)launch.BlockX, (uint)launch.BlockY, (uint)launch.BlockZ,
                (uint)launch.SharedBytes, Value, pointers, null);
            if (status != CudaStatus.Success) throw Context.Driver.Error(status, "cuLaunchKernel", $"{function.Name}, {launch}");
        }
    }

    /// <summary>Copies host memory to the device. Ordinary memory may change as soon as it returns; pinned memory only when the copy is done.</summary>
    public void CopyToDevice(nint to, ReadOnlySpan<byte> from)
    {
        if (from.IsEmpty) return;
        fixed (byte* source = from) Context.Driver.Check(Context.Enter().cuMemcpyHtoDAsync(to, (nint)source, (nuint)from.Length, Value), "cuMemcpyHtoDAsync_v2");
    }

    /// <summary>Copies device memory to the host. Into ordinary memory the copy is done when it returns; into pinned memory it is not.</summary>
    public void CopyToHost(Span<byte> to, nint from)
    {
        if (to.IsEmpty) return;
        fixed (byte* target = to) Context.Driver.Check(Context.Enter().cuMemcpyDtoHAsync((nint)target, from, (nuint)to.Length, Value), "cuMemcpyDtoHAsync_v2");
    }

    /// <summary>Copies within the device; the two do not overlap.</summary>
    public void CopyOnDevice(nint to, nint from, nuint bytes)
    {
        if (bytes != 0) Context.Driver.Check(Context.Enter().cuMemcpyDtoDAsync(to, from, bytes, Value), "cuMemcpyDtoDAsync_v2");
    }

    /// <summary>Sets every byte to a value.</summary>
    public void Fill(nint to, byte value, nuint bytes)
    {
        if (bytes != 0) Context.Driver.Check(Context.Enter().cuMemsetD8Async(to, value, bytes, Value), "cuMemsetD8Async");
    }

    /// <summary>Waits until everything is done. Errors of kernels that ran since the last wait show here.</summary>
    public void Synchronise() => Context.Driver.Check(Context.Enter().cuStreamSynchronize(Value), "cuStreamSynchronize");

    /// <summary>Sets an event at this point.</summary>
    public void Record(CudaEvent mark)
    {
        ArgumentNullException.ThrowIfNull(mark);
        Context.Driver.Check(Context.Enter().cuEventRecord(mark.Value, Value), "cuEventRecord");
    }

    /// <summary>Lets what follows wait on the device until another stream has reached an event.</summary>
    public void Wait(CudaEvent mark)
    {
        ArgumentNullException.ThrowIfNull(mark);
        Context.Driver.Check(Context.Enter().cuStreamWaitEvent(Value, mark.Value, 0), "cuStreamWaitEvent");
    }

    /// <summary>From now until <see cref="EndCapture"/> what is asked for is recorded instead of run. This thread may neither allocate nor wait meanwhile.</summary>
    public void BeginCapture()
    {
        const int ThreadLocal = 1; // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        Context.Driver.Check(Context.Enter().cuStreamBeginCapture(Value, ThreadLocal), "cuStreamBeginCapture_v2");
    }

    /// <summary>Ends the recording and makes it ready to run.</summary>
    /// <exception cref="CudaException">Something that cannot be recorded was asked for; the recording is over all the same.</exception>
    public CudaGraph EndCapture()
    {
        nint graph = 0;
        var functions = Context.Enter();
        Context.Driver.Check(functions.cuStreamEndCapture(Value, &graph), "cuStreamEndCapture");
        nint executable;
        var status = functions.cuGraphInstantiateWithFlags(&executable, graph, 0);
        var destroyed = functions.cuGraphDestroy(graph);
        Context.Driver.Check(status, "cuGraphInstantiateWithFlags");
        var ready = new CudaGraph(Context, executable);
        if (destroyed == CudaStatus.Success) return ready;
        ready.Dispose();
        throw Context.Driver.Error(destroyed, "cuGraphDestroy");
    }

    /// <summary>Ends a recording that is not wanted, as after an exception. Does nothing where there is none.</summary>
    public void AbortCapture()
    {
        nint graph = 0;
        var functions = Context.Enter();
        // Whatever is wrong with the recording, this call ends it; that is all that is wanted.
        if (functions.cuStreamEndCapture(Value, &graph) == CudaStatus.Success && graph != 0) _ = functions.cuGraphDestroy(graph);
    }

    /// <summary>Runs a recorded graph.</summary>
    public void Launch(CudaGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        Context.Driver.Check(Context.Enter().cuGraphLaunch(graph.Value, Value), "cuGraphLaunch");
    }

    private protected override CudaStatus Destroy(DriverFunctions functions, nint owned) => functions.cuStreamDestroy(owned);
}
