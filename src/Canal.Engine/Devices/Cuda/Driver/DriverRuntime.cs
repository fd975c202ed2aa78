using System.Globalization;
using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Engine.Tensors;
using Canal.Interop.Cublas;
using Canal.Interop.Cuda;
using Canal.Interop.Nvrtc;

namespace Canal.Engine.Devices.Cuda.Driver;

/// <summary>A real card: the CUDA driver, kernels compiled by NVRTC, products by cuBLAS, all on one stream.</summary>
/// <remarks>
/// Sums of products do not change from run to run: one stream, a workspace of cuBLAS's own, a stated compute type. Host memory goes through
/// <see cref="PinnedRing"/> and comes back through <see cref="PinnedReads"/>, so that the host prepares the next batch and looks at the one before
/// while the card works on this one.
/// </remarks>
public sealed class DriverRuntime : ICudaRuntime
{
    /// <summary>cuBLAS's own memory, outside the pool: what NVIDIA advises from Hopper on; enough to split long sums on older cards.</summary>
    public const int WorkspaceBytes = 32 << 20;

    // Shared memory, static and dynamic, that every kernel may have unasked.
    private const int UnaskedSharedBytes = 48 << 10;

    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly CudaMemory workspace;
    private readonly CublasHandle cublas;
    private readonly PinnedRing ring;
    private readonly PinnedReads reads;
    private readonly KernelImages images;
    private readonly Dictionary<KernelProgram, CudaModule> modules = [];
    private readonly Dictionary<nint, CudaMemory> blocks = [];
    private readonly List<LoadedKernel> kernels = [];
    private readonly HandleTable<CudaEvent> marks = new();
    private readonly HandleTable<CudaGraph> graphs = new();
    private bool capturing;

    private DriverRuntime(CudaContext context, CublasLibrary cublasLibrary, KernelImages images)
    {
        this.context = context;
        this.images = images;
        stream = context.CreateStream();
        try
        {
            workspace = context.Allocate(WorkspaceBytes);
            cublas = CublasHandle.Create(cublasLibrary, stream, workspace);
            ring = new PinnedRing(context, stream);
            reads = new PinnedReads(context, stream);
        }
        catch
        {
            cublas?.Dispose();
            workspace?.Dispose();
            stream.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Description => string.Create(CultureInfo.InvariantCulture, $"{context.Device.Name}, compute capability {context.Device.ComputeCapability}");

    /// <inheritdoc/>
    public int Architecture => context.Device.Architecture;

    /// <inheritdoc/>
    public int Multiprocessors => context.Device.Multiprocessors;

    /// <inheritdoc/>
    public int SharedBytesPerBlock => context.Device.SharedBytesPerBlock;

    /// <inheritdoc/>
    public nuint FreeBytes => context.Memory().Free;

    /// <summary>Opens a card.</summary>
    /// <param name="ordinal">Which, from 0.</param>
    /// <param name="say">Told of what is worth a line (a cache that cannot be written).</param>
    /// <exception cref="CudaException">Driver, card or cuBLAS cannot be used; the message has the cure.</exception>
    /// <exception cref="NvrtcMissingException">There is no NVRTC.</exception>
    public static DriverRuntime Open(int ordinal, Action<string> say)
    {
        var driver = CudaDriver.Load();
        return Open(driver, ordinal, () => CublasLibrary.Load(driver.Version.Major), architecture =>
        {
            var cache = new KernelCache(KernelCache.DefaultFolder(Environment.GetEnvironmentVariable), say);
            return new KernelImages(new KernelCompiler(NvrtcLibrary.Probe(driver.Version.Major)), cache, architecture, driver.Version);
        });
    }

    /// <summary>The same over given libraries.</summary>
    internal static DriverRuntime Open(CudaDriver driver, int ordinal, Func<CublasLibrary> cublas, Func<int, KernelImages> images)
    {
        var context = driver.OpenContext(ordinal);
        try
        {
            return new DriverRuntime(context, cublas(), images(context.Device.Architecture));
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public nint Allocate(nuint bytes)
    {
        try
        {
            var block = context.Allocate(bytes);
            blocks.Add(block.Address, block);
            return block.Address;
        }
        catch (CudaException exhausted) when (exhausted.Problem == CudaProblem.OutOfMemory)
        {
            throw Exhausted(exhausted);
        }
    }

    /// <inheritdoc/>
    public void Free(nint pointer, nuint bytes)
    {
        blocks.Remove(pointer, out var block);
        block!.Dispose();
    }

    /// <inheritdoc/>
    public nint Load(KernelProgram program, string kernel)
    {
        if (!modules.TryGetValue(program, out var module)) modules.Add(program, module = LoadModule(program));
        kernels.Add(new LoadedKernel(module.Function(kernel)));
        return kernels.Count - 1;
    }

    /// <inheritdoc/>
    public void Launch(nint kernel, in LaunchShape shape, scoped in KernelArguments arguments)
    {
        var loaded = kernels[(int)kernel];
        loaded.Allow(shape.SharedBytes);
        stream.Launch(loaded.Function, new CudaLaunch(shape.GridX, shape.GridY, shape.GridZ, shape.BlockX, shape.BlockY, 1, shape.SharedBytes), arguments.Values);
    }

    /// <inheritdoc/>
    public void Multiply(in MatrixProduct product) => cublas.Multiply(
        product.M, product.N, product.K, 1f,
        new CublasMatrix(product.A, product.RowA, TypeOf(product.Operands), product.TransposeA),
        new CublasMatrix(product.B, product.RowB, TypeOf(product.Operands), product.TransposeB),
        product.Accumulate ? 1f : 0f, new CublasMatrix(product.C, product.RowC, TypeOf(product.Result)), product.Tf32);

    /// <inheritdoc/>
    public void CopyToDevice(nint to, ReadOnlySpan<byte> from)
    {
        // It would be recorded with a slot of the ring whose contents are others when the graph runs.
        if (capturing) throw new InvalidOperationException("A copy from the host in a captured step.");
        ring.Copy(to, from);
    }

    /// <inheritdoc/>
    public void CopyToHost(Span<byte> to, nint from)
    {
        stream.CopyToHost(to, from);
        stream.Synchronise();
    }

    /// <inheritdoc/>
    public nint BeginCopyToHost(nint from, nuint bytes)
    {
        if (capturing) throw new InvalidOperationException("A copy to the host in a captured step.");
        return reads.Begin(from, checked((int)bytes));
    }

    /// <inheritdoc/>
    public void EndCopyToHost(nint copy, Span<byte> to) => reads.End(copy, to);

    /// <inheritdoc/>
    public void CopyOnDevice(nint to, nint from, nuint bytes) => stream.CopyOnDevice(to, from, bytes);

    /// <inheritdoc/>
    public void Synchronise() => stream.Synchronise();

    /// <inheritdoc/>
    public nint Mark()
    {
        var mark = context.CreateEvent(timing: true);
        stream.Record(mark);
        return marks.Add(mark);
    }

    /// <inheritdoc/>
    public double ElapsedMilliseconds(nint from, nint to)
    {
        var end = marks[to];
        end.Synchronise();
        return end.MillisecondsSince(marks[from]);
    }

    /// <inheritdoc/>
    public void FreeMark(nint mark) => marks.Remove(mark).Dispose();

    /// <inheritdoc/>
    public void BeginCapture()
    {
        stream.BeginCapture();
        capturing = true;
    }

    /// <inheritdoc/>
    public nint EndCapture()
    {
        capturing = false;
        try
        {
            return graphs.Add(stream.EndCapture());
        }
        catch (CudaException exhausted) when (exhausted.Problem == CudaProblem.OutOfMemory)
        {
            throw Exhausted(exhausted);
        }
    }

    /// <inheritdoc/>
    public void AbortCapture()
    {
        capturing = false;
        stream.AbortCapture();
    }

    /// <inheritdoc/>
    public void Replay(nint graph) => stream.Launch(graphs[graph]);

    /// <inheritdoc/>
    public void FreeGraph(nint graph) => graphs.Remove(graph).Dispose();

    /// <summary>Closes everything; memory that is still allocated too.</summary>
    public void Dispose()
    {
        reads.Dispose();
        ring.Dispose();
        cublas.Dispose();
        workspace.Dispose();
        graphs.Dispose();
        marks.Dispose();
        foreach (var block in blocks.Values) block.Dispose();
        foreach (var module in modules.Values) module.Dispose();
        stream.Dispose();
        context.Dispose();
    }

    // A damaged entry of the cache was compiled again already; one that is whole and that the driver refuses is compiled again here, once.
    private CudaModule LoadModule(KernelProgram program)
    {
        try
        {
            return context.LoadModule(images.Get(program).Bytes, program.Name);
        }
        catch (CudaException refused) when (refused.Problem != CudaProblem.OutOfMemory)
        {
            return context.LoadModule(images.Recompile(program).Bytes, program.Name);
        }
    }

    private static InsufficientMemoryException Exhausted(CudaException exhausted) => new(exhausted.Message, exhausted);

    private static CublasType TypeOf(DType type) => type switch
    {
        DType.Float32 => CublasType.Float32,
        DType.Float16 => CublasType.Float16,
        DType.BFloat16 => CublasType.BFloat16,
        _ => throw new NotSupportedException($"No product of {type}."),
    };

    private sealed class LoadedKernel(CudaFunction function)
    {
        private int allowed = UnaskedSharedBytes - function.StaticSharedBytes;

        public CudaFunction Function => function;

        public void Allow(int bytes)
        {
            if (bytes <= allowed) return;
            function.AllowSharedBytes(bytes);
            allowed = bytes;
        }
    }
}
