using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// What <see cref="CudaDevice"/> stands on: memory, copies, kernels, matrix products, events and graphs, all in one order of execution (a
/// stream). The driver is one; an emulator that runs the same kernel sources on the processor is the other.
/// </summary>
public interface ICudaRuntime : IMemorySource, IDisposable
{
    /// <summary>One line for people: the card, or what stands in for it.</summary>
    string Description { get; }

    /// <summary>Compute capability times ten: 75, 80, 90.</summary>
    int Architecture { get; }

    /// <summary>Streaming multiprocessors: how many blocks fill the card. May choose a launch's grid, never its result.</summary>
    int Multiprocessors { get; }

    /// <summary>Most bytes of dynamic shared memory that a block may ask for.</summary>
    int SharedBytesPerBlock { get; }

    /// <summary>Bytes of device memory free now.</summary>
    nuint FreeBytes { get; }

    /// <summary>Finds a kernel; compiles and loads its program at first use.</summary>
    /// <exception cref="CudaKernelException">The program does not compile, or has no such kernel.</exception>
    nint Load(KernelProgram program, string kernel);

    /// <summary>Launches a kernel after all that was asked for before. Returns before it is done.</summary>
    void Launch(nint kernel, in LaunchShape shape, scoped in KernelArguments arguments);

    /// <summary>A matrix product after all that was asked for before. Returns before it is done.</summary>
    void Multiply(in MatrixProduct product);

    /// <summary>Copies host memory to the device, in order; the host memory may change as soon as it returns.</summary>
    void CopyToDevice(nint to, ReadOnlySpan<byte> from);

    /// <summary>Copies device memory to the host and waits for it.</summary>
    void CopyToHost(Span<byte> to, nint from);

    /// <summary>Begins to copy device memory to the host, in order, and returns; the copy's number, for <see cref="EndCopyToHost"/>.</summary>
    nint BeginCopyToHost(nint from, nuint bytes);

    /// <summary>Waits for a copy that was begun, and takes its bytes: as many as it was begun with.</summary>
    void EndCopyToHost(nint copy, Span<byte> to);

    /// <summary>Copies within the device, in order.</summary>
    void CopyOnDevice(nint to, nint from, nuint bytes);

    /// <summary>Waits until everything is done.</summary>
    void Synchronise();

    /// <summary>A mark in the order of execution; <see cref="ElapsedMilliseconds"/> measures between two. Give it back with <see cref="FreeMark"/>.</summary>
    nint Mark();

    /// <summary>Waits for the later mark; milliseconds of device time between two marks.</summary>
    double ElapsedMilliseconds(nint from, nint to);

    /// <summary>Gives a mark back.</summary>
    void FreeMark(nint mark);

    /// <summary>From now until <see cref="EndCapture"/> launches, products and copies on the device are recorded instead of run. Nothing may be allocated, read or waited for.</summary>
    void BeginCapture();

    /// <summary>Ends the recording; the graph runs with <see cref="Replay"/>.</summary>
    /// <exception cref="InsufficientMemoryException">The graph does not fit beside the pool; the recording is over all the same.</exception>
    nint EndCapture();

    /// <summary>Ends a recording that is not wanted, or that an error spoiled; nothing is kept.</summary>
    void AbortCapture();

    /// <summary>Runs a recorded graph after all that was asked for before.</summary>
    void Replay(nint graph);

    /// <summary>Gives a graph back.</summary>
    void FreeGraph(nint graph);
}
