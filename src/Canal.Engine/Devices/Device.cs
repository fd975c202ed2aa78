using System.Diagnostics;
using System.Runtime.InteropServices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices;

/// <summary>Where operations run. One thread drives a device; the device may use many.</summary>
public abstract class Device : IDisposable
{
    private protected Device(MemoryPool memory) => Memory = memory;

    /// <summary>The pool that every tensor of this device comes from.</summary>
    public MemoryPool Memory { get; }

    /// <summary>Floating-point operations declared by everything run so far (an FMA is two).</summary>
    public long FlopsRun { get; private set; }

    /// <summary>Bytes declared by everything run so far: what must move at least once.</summary>
    public long BytesRun { get; private set; }

    /// <summary>Number of operations run so far.</summary>
    public long OperationsRun { get; private set; }

    /// <summary>One line for people: the kind of device and what it has.</summary>
    public abstract string Description { get; }

    /// <summary>What decides the bits of a result besides inputs and seed: kind of device and precision. A run goes on only where it began.</summary>
    public virtual string Numerics => "fp32, processor";

    /// <summary>What kind of device it is, or stands for.</summary>
    public virtual DeviceKind Kind => DeviceKind.Cpu;

    /// <summary>
    /// Element type of activations and their gradients inside encoder blocks (design.md, Precision). The residual stream, everything behind the final
    /// norm, parameters and sums are float32 on every device.
    /// </summary>
    /// <param name="training">Whether a backward pass follows.</param>
    public virtual DType ActivationType(bool training) => DType.Float32;

    /// <summary>Worker threads with scratch of their own in the pool; 0 where there are none.</summary>
    public virtual int WorkerThreads => 0;

    /// <summary>Allocates a tensor with undefined contents; the caller owns <c>tensor.Storage</c>.</summary>
    public Tensor Allocate(DType type, Shape shape) => new(Memory.Rent((nuint)shape.Count * (nuint)type.Bytes()), 0, type, shape);

    /// <summary>Allocates a float32 tensor with undefined contents; the caller owns <c>tensor.Storage</c>.</summary>
    public Tensor Allocate(Shape shape) => Allocate(DType.Float32, shape);

    /// <summary>Runs one operation: checks its declaration, then executes it. May return before the device is done.</summary>
    /// <exception cref="ArgumentException">A tensor is missing or has the wrong shape or type.</exception>
    public void Run<TOp>(in TOp operation) where TOp : struct, IOperation
    {
        var description = new OperationDescription(Kind);
        operation.Describe(ref description);
        description.Validate(TOp.Name);
        FlopsRun += description.Flops;
        BytesRun += description.Bytes;
        OperationsRun++;
        Execute(in operation, ref description);
    }

    /// <summary>Executes a validated operation.</summary>
    protected abstract void Execute<TOp>(in TOp operation, ref OperationDescription description) where TOp : struct, IOperation;

    /// <summary>Copies between two tensors of this device, of the same type and count.</summary>
    public abstract void Copy(Tensor to, Tensor from);

    /// <summary>Copies host memory into a tensor; the byte counts must agree.</summary>
    public abstract void CopyFromHost(Tensor to, ReadOnlySpan<byte> from);

    /// <summary>Copies a tensor into host memory, after all work on it; the byte counts must agree.</summary>
    public abstract void CopyToHost(Span<byte> to, Tensor from);

    /// <summary>Copies values into a tensor of the same count.</summary>
    public void Write<T>(Tensor to, ReadOnlySpan<T> values) where T : unmanaged => CopyFromHost(to, MemoryMarshal.AsBytes(values));

    /// <summary>Copies a tensor's values out.</summary>
    public void Read<T>(Span<T> values, Tensor from) where T : unmanaged => CopyToHost(MemoryMarshal.AsBytes(values), from);

    /// <summary>A tensor's values as a new array.</summary>
    public T[] Read<T>(Tensor from) where T : unmanaged
    {
        var values = new T[from.Count];
        Read<T>(values, from);
        return values;
    }

    /// <summary>
    /// Begins to copy a tensor to the host, after all work on it, and returns: the device goes on with what is asked for next. The tensor must not be written to
    /// before <see cref="Collect"/> has returned its values; every read that was begun must be collected.
    /// </summary>
    public PendingRead ReadLater(Tensor from) => new(from, BeginCopyToHost(from));

    /// <summary>Waits for a copy that was begun; the counts must agree.</summary>
    public void Collect<T>(PendingRead read, Span<T> values) where T : unmanaged => EndCopyToHost(MemoryMarshal.AsBytes(values), read);

    /// <summary>Begins a copy that <see cref="EndCopyToHost"/> ends; 0 where nothing is done before that.</summary>
    private protected virtual nint BeginCopyToHost(Tensor from) => 0;

    /// <summary>Ends a copy.</summary>
    private protected virtual void EndCopyToHost(Span<byte> to, PendingRead read) => CopyToHost(to, read.From);

    /// <summary>Seconds that the device takes for what <paramref name="run"/> asks of it, and waits for: on a card between two marks on it, so that the host's part does not count.</summary>
    public virtual double Seconds(Action run)
    {
        var from = Stopwatch.GetTimestamp();
        run();
        Synchronise();
        return Stopwatch.GetElapsedTime(from).TotalSeconds;
    }

    /// <summary>Whether the device can record operations and run them again: <see cref="TryCapture"/>.</summary>
    public virtual bool Captures => false;

    /// <summary>
    /// Records what <paramref name="work"/> runs, instead of running it. The work must have run before: then kernels are loaded and the pool has the blocks that it
    /// needs. It must return what it rents, and neither write to the device from the host nor read from it.
    /// </summary>
    /// <returns>The operations, to <see cref="Run(DeviceGraph)"/>; null where the device cannot, or lacked memory for the graph, or the pool a block: then nothing ran, and what
    /// the work had rented is for the caller to give back.</returns>
    public DeviceGraph? TryCapture(Action work)
    {
        if (!Captures) return null;
        var (flops, bytes, operations) = (FlopsRun, BytesRun, OperationsRun);
        try
        {
            return Record(work, out var blocks) is { } handle
                ? new DeviceGraph(this, handle, blocks) { Flops = FlopsRun - flops, Bytes = BytesRun - bytes, Operations = OperationsRun - operations }
                : null;
        }
        finally
        {
            (FlopsRun, BytesRun, OperationsRun) = (flops, bytes, operations);
        }
    }

    private nint? Record(Action work, out IReadOnlyCollection<Storage> blocks)
    {
        Memory.BeginRecording();
        try
        {
            BeginCapture();
            try
            {
                work();
            }
            catch (ColdPoolException)
            {
                // A block is missing: the caller runs the work as it is, and the pool has it then.
                AbortCapture();
                return null;
            }
            catch
            {
                // A recording that an error has spoiled cannot be ended as usual, and the error itself is what is worth telling.
                AbortCapture();
                throw;
            }
            try
            {
                return EndCapture();
            }
            catch (InsufficientMemoryException)
            {
                return null; // a graph takes memory beside the pool's; the work runs without one too
            }
        }
        finally
        {
            blocks = Memory.EndRecording();
        }
    }

    /// <summary>Runs a graph after everything that was run before.</summary>
    /// <exception cref="InvalidOperationException">Memory of the graph is in use (<see cref="DeviceGraph.CanRun"/>).</exception>
    public void Run(DeviceGraph graph)
    {
        if (!graph.CanRun) throw new InvalidOperationException("The graph's memory is in use: its operations have to run one by one.");
        FlopsRun += graph.Flops;
        BytesRun += graph.Bytes;
        OperationsRun += graph.Operations;
        Replay(graph.Handle);
    }

    /// <summary>Begins to record operations instead of running them.</summary>
    private protected virtual void BeginCapture() => throw new NotSupportedException();

    /// <summary>Ends <see cref="BeginCapture"/>; a handle of what was recorded.</summary>
    private protected virtual nint EndCapture() => throw new NotSupportedException();

    /// <summary>Ends <see cref="BeginCapture"/>, even where an error spoiled the recording; nothing is kept.</summary>
    private protected virtual void AbortCapture() => throw new NotSupportedException();

    /// <summary>Runs what was recorded.</summary>
    private protected virtual void Replay(nint graph) => throw new NotSupportedException();

    /// <summary>Gives a recording back.</summary>
    private protected virtual void FreeGraph(nint graph) => throw new NotSupportedException();

    internal void Free(DeviceGraph graph) => FreeGraph(graph.Handle);

    /// <summary>Waits until everything that was run is done.</summary>
    public abstract void Synchronise();

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        Memory.Dispose();
        GC.SuppressFinalize(this);
    }
}
