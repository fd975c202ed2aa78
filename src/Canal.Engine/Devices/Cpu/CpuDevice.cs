using System.Globalization;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// The processor: own SIMD kernels and own worker threads, no native library. Runs every operation to its end before it returns.
/// The same bits come out for every number of threads and every vector width.
/// </summary>
public sealed class CpuDevice : Device
{
    private readonly CpuKernels kernels;
    private bool disposed;

    /// <summary>A device with the given threads, vector width and memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Threads below 1, or a vector width other than 512, 256 or 128.</exception>
    public CpuDevice(CpuOptions options) : base(new MemoryPool(new HostMemory(), options.MemoryLimit))
    {
        var threads = options.Threads ?? Environment.ProcessorCount;
        if (threads is < 1 or > WorkerPool.MaximumThreads)
        {
            throw new ArgumentOutOfRangeException(nameof(options), $"A device has 1 to {WorkerPool.MaximumThreads} threads, not {threads}.");
        }
        VectorBits = options.VectorBits ?? CpuBenchmark.FastestVectorBits;
        if (VectorBits is not (512 or 256 or 128))
        {
            throw new ArgumentOutOfRangeException(nameof(options), $"Vectors have 512, 256 or 128 bits, not {VectorBits}.");
        }
        kernels = CpuKernels.For(VectorBits);
        Workers = new WorkerPool(threads, Memory);
    }

    /// <summary>Width in bits of the vectors that the kernels use.</summary>
    public int VectorBits { get; }

    /// <summary>The worker threads.</summary>
    public WorkerPool Workers { get; }

    /// <summary>Address of the scratch that the running operation declared, 64-byte aligned; zero where it declared none.</summary>
    public nint OperationScratch { get; private set; }

    /// <inheritdoc/>
    public override int WorkerThreads => Workers.Threads;

    /// <inheritdoc/>
    public override string Description => string.Create(
        CultureInfo.InvariantCulture, $"CPU, {Workers.Threads} {(Workers.Threads == 1 ? "thread" : "threads")}, {VectorBits}-bit vectors");

    /// <summary>Whether this device runs an operation, given by the type of its arguments.</summary>
    public bool Implements(Type operation) => kernels.Contains(operation);

    /// <inheritdoc/>
    protected override void Execute<TOp>(in TOp operation, ref OperationDescription description)
    {
        if (!kernels.TryGet<TOp>(out var kernel))
        {
            throw new NotSupportedException($"{TOp.Name}: {nameof(CpuDevice)} has no kernel for this operation.");
        }
        if (description.ScratchBytes == 0)
        {
            Workers.ReserveScratch(description.WorkerScratchBytes);
            kernel(in operation, this);
            return;
        }
        using var scratch = Memory.Rent(description.ScratchBytes);
        Workers.ReserveScratch(description.WorkerScratchBytes);
        OperationScratch = scratch.Pointer;
        try
        {
            kernel(in operation, this);
        }
        finally
        {
            OperationScratch = 0;
        }
    }

    /// <inheritdoc/>
    public override void Copy(Tensor to, Tensor from)
    {
        if (to.Type != from.Type || to.Count != from.Count)
        {
            throw new ArgumentException($"A {from.Type} tensor of shape {from.Shape} cannot be copied to a {to.Type} tensor of shape {to.Shape}.");
        }
        CopyBytes(to.Address, from.Address, to.Bytes);
    }

    /// <inheritdoc/>
    public override unsafe void CopyFromHost(Tensor to, ReadOnlySpan<byte> from)
    {
        RequireBytes(to, from.Length);
        fixed (byte* source = from) CopyBytes(to.Address, (nint)source, to.Bytes);
    }

    /// <inheritdoc/>
    public override unsafe void CopyToHost(Span<byte> to, Tensor from)
    {
        RequireBytes(from, to.Length);
        fixed (byte* target = to) CopyBytes((nint)target, from.Address, from.Bytes);
    }

    /// <summary>Returns at once: operations end before <see cref="Device.Run{TOp}"/> returns.</summary>
    public override void Synchronise() { }

    /// <summary>Stops the threads and frees all memory that was returned.</summary>
    public override void Dispose()
    {
        if (disposed) return;
        disposed = true;
        Workers.Dispose();
        base.Dispose();
    }

    private static unsafe void CopyBytes(nint to, nint from, nuint bytes) => Buffer.MemoryCopy((void*)from, (void*)to, bytes, bytes);

    private static void RequireBytes(Tensor tensor, int bytes)
    {
        if (tensor.Bytes != (nuint)bytes)
        {
            throw new ArgumentException($"A {tensor.Type} tensor of shape {tensor.Shape} has {tensor.Bytes} bytes, the host memory {bytes}.");
        }
    }
}
