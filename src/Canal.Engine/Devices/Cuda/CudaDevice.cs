using System.Globalization;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>
/// A CUDA card, or what stands in for one: own kernels, matrix products by the runtime. Operations return before they are done; one order of
/// execution makes memory safe to reuse at once. No operation allocates, reads or waits, so that a whole step can be captured.
/// </summary>
public sealed class CudaDevice : Device
{
    private readonly Dictionary<(KernelProgram Program, string Kernel), nint> loaded = [];
    private const uint UnpooledBytes = 256 << 20;
    private bool disposed;

    /// <summary>A device over <paramref name="runtime"/>, which it owns.</summary>
    /// <exception cref="ArgumentException">The precision does not exist on the architecture.</exception>
    public CudaDevice(ICudaRuntime runtime, CudaOptions options) : base(new MemoryPool(runtime, options.MemoryLimit ?? Most(runtime)))
    {
        Runtime = runtime;
        Precision = options.Precision;
        Captures = options.CapturesSteps;
        if (!Precision.Fits(runtime.Architecture))
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"Precision {Precision.Name} needs a newer card than compute capability {runtime.Architecture / 10}.{runtime.Architecture % 10}; use {CudaPrecision.DefaultFor(runtime.Architecture).Name}."), nameof(options));
        }
    }

    /// <summary>The driver, or the emulator.</summary>
    public ICudaRuntime Runtime { get; }

    /// <summary>Arithmetic.</summary>
    public CudaPrecision Precision { get; }

    /// <summary>Address of the scratch that the running operation declared, 256-byte aligned; zero where it declared none.</summary>
    public nint OperationScratch { get; private set; }

    /// <summary>The block of memory that begins with <see cref="OperationScratch"/> while an operation of several parts runs; null where it declared no scratch.</summary>
    internal Storage? OperationScratchStorage { get; private set; }

    /// <inheritdoc/>
    public override DeviceKind Kind => DeviceKind.Cuda;

    /// <inheritdoc/>
    public override DType ActivationType(bool training) => training ? Precision.Training : Precision.Forward;

    /// <inheritdoc/>
    public override string Numerics => $"{Precision.Name}, {Runtime.Description}";

    /// <inheritdoc/>
    public override string Description => $"{Runtime.Description}, {Precision.Name}";

    /// <summary>Whether this device runs an operation, given by the type of its arguments.</summary>
    public static bool Implements(Type operation) => CudaKernels.Contains(operation);

    /// <summary>Launches a kernel of a program.</summary>
    internal void Launch(KernelProgram program, string kernel, in LaunchShape shape, scoped in KernelArguments arguments)
    {
        if (!loaded.TryGetValue((program, kernel), out var function))
        {
            function = Runtime.Load(program, kernel);
            loaded.Add((program, kernel), function);
        }
        Runtime.Launch(function, shape, arguments);
    }

    /// <inheritdoc/>
    protected override void Execute<TOp>(in TOp operation, ref OperationDescription description)
    {
        var kernel = Find<TOp>();
        if (description.ScratchBytes == 0)
        {
            kernel(in operation, this);
            return;
        }
        using var scratch = Memory.Rent(description.ScratchBytes);
        (OperationScratchStorage, OperationScratch) = (scratch, scratch.Pointer);
        try
        {
            kernel(in operation, this);
        }
        finally
        {
            (OperationScratchStorage, OperationScratch) = (null, 0);
        }
    }

    /// <summary>Launches an operation that is part of the running one, its scratch at an offset in the running one's.</summary>
    internal void LaunchPart<TOp>(in TOp operation, nuint scratchOffset) where TOp : struct, IOperation
    {
        var whole = OperationScratch;
        OperationScratch = whole + (nint)scratchOffset;
        try
        {
            Find<TOp>()(in operation, this);
        }
        finally
        {
            OperationScratch = whole;
        }
    }

    private static CudaKernel<TOp> Find<TOp>() where TOp : struct, IOperation => CudaKernels.TryGet<TOp>(out var kernel)
        ? kernel
        : throw new NotSupportedException($"{TOp.Name}: {nameof(CudaDevice)} has no kernel for this operation.");

    /// <inheritdoc/>
    public override void Copy(Tensor to, Tensor from)
    {
        if (to.Type != from.Type || to.Count != from.Count)
        {
            throw new ArgumentException($"A {from.Type} tensor of shape {from.Shape} cannot be copied to a {to.Type} tensor of shape {to.Shape}.");
        }
        if (to.Count > 0) Runtime.CopyOnDevice(to.Address, from.Address, to.Bytes);
    }

    /// <inheritdoc/>
    public override void CopyFromHost(Tensor to, ReadOnlySpan<byte> from)
    {
        RequireBytes(to, from.Length);
        if (!from.IsEmpty) Runtime.CopyToDevice(to.Address, from);
    }

    /// <inheritdoc/>
    public override void CopyToHost(Span<byte> to, Tensor from)
    {
        RequireBytes(from, to.Length);
        if (!to.IsEmpty) Runtime.CopyToHost(to, from.Address);
    }

    private protected override nint BeginCopyToHost(Tensor from) => from.Count == 0 ? 0 : Runtime.BeginCopyToHost(from.Address, from.Bytes);

    private protected override void EndCopyToHost(Span<byte> to, PendingRead read)
    {
        RequireBytes(read.From, to.Length);
        if (!to.IsEmpty) Runtime.EndCopyToHost(read.Copy, to);
    }

    /// <inheritdoc/>
    public override double Seconds(Action run)
    {
        var from = Runtime.Mark();
        run();
        var to = Runtime.Mark();
        var milliseconds = Runtime.ElapsedMilliseconds(from, to);
        Runtime.FreeMark(from);
        Runtime.FreeMark(to);
        return milliseconds / 1000;
    }

    /// <inheritdoc/>
    public override bool Captures { get; }

    private protected override void BeginCapture() => Runtime.BeginCapture();

    private protected override nint EndCapture() => Runtime.EndCapture();

    private protected override void AbortCapture() => Runtime.AbortCapture();

    private protected override void Replay(nint graph) => Runtime.Replay(graph);

    private protected override void FreeGraph(nint graph) => Runtime.FreeGraph(graph);

    /// <inheritdoc/>
    public override void Synchronise() => Runtime.Synchronise();

    /// <summary>Waits for the device, frees all memory that was returned and closes the runtime.</summary>
    public override void Dispose()
    {
        if (disposed) return;
        disposed = true;
        Runtime.Synchronise();
        base.Dispose();
        Runtime.Dispose();
    }

    // Without a limit: what is free, so that a cache that does not fit goes to a file. Kernels and the driver need some beside the pool.
    private static nuint? Most(ICudaRuntime runtime) => runtime.FreeBytes is var free && free > 2 * UnpooledBytes ? free - UnpooledBytes : null;

    private static void RequireBytes(Tensor tensor, int bytes)
    {
        if (tensor.Bytes != (nuint)bytes)
        {
            throw new ArgumentException($"A {tensor.Type} tensor of shape {tensor.Shape} has {tensor.Bytes} bytes, the host memory {bytes}.");
        }
    }
}
