using System.Runtime.InteropServices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;

namespace Canal.Testing.Emulator;

/// <summary>
/// The CUDA runtime of the tests: the kernels' own sources, compiled by g++, run on the processor, a fiber a CUDA thread. Arguments are checked
/// against the kernel's declaration, fresh memory is full of NaN, and what a capture forbids throws.
/// </summary>
public sealed unsafe class EmulatedRuntime : ICudaRuntime
{
    private readonly EmulatorLibrary emulator = EmulatorLibrary.Instance.Value;
    private readonly List<EmulatedKernel> kernels = [null!];
    private readonly List<List<Action>?> graphs = [null];
    private readonly Dictionary<string, AccessCounts> counts = [];
    private readonly EmulatorOptions options;
    private List<Action>? captured;
    private readonly Dictionary<nint, (nint From, int Bytes)> reads = [];
    private nint begunReads;
    private nuint allocated;
    private long marks;

    /// <summary>A runtime for an architecture.</summary>
    /// <param name="architecture">Compute capability times ten.</param>
    /// <param name="order">Order of threads and blocks: 0 forward, 1 reverse, otherwise a seed.</param>
    /// <param name="workers">OS threads that share the blocks of a launch.</param>
    /// <param name="multiprocessors">Multiprocessors to claim.</param>
    public EmulatedRuntime(int architecture = 80, int order = 0, int workers = 1, int multiprocessors = 4)
        : this(new EmulatorOptions { Order = order, Workers = workers }, architecture, multiprocessors) { }

    /// <summary>A runtime with all options.</summary>
    /// <param name="options">How kernels are run.</param>
    /// <param name="architecture">Compute capability times ten.</param>
    /// <param name="multiprocessors">Multiprocessors to claim.</param>
    public EmulatedRuntime(EmulatorOptions options, int architecture = 80, int multiprocessors = 4) =>
        (this.options, Architecture, Multiprocessors) = (options, architecture, multiprocessors);

    /// <summary>Skips the running test where there is no compiler for the kernels.</summary>
    public static void Require() => Skip.IfNot(IsPossible, "no g++ to build the kernels for the emulator with");

    /// <summary>Whether the emulator can be built here.</summary>
    public static bool IsPossible => BuildCache.IsPossible;

    /// <inheritdoc/>
    public string Description => $"CUDA emulator, sm_{Architecture}, thread order {options.Order}, {options.Workers} workers";

    /// <inheritdoc/>
    public int Architecture { get; }

    /// <inheritdoc/>
    public int Multiprocessors { get; }

    /// <inheritdoc/>
    public int SharedBytesPerBlock => Architecture >= 90 ? 227 << 10 : Architecture == 80 ? 163 << 10 : Architecture > 80 ? 99 << 10 : Architecture == 75 ? 64 << 10 : 96 << 10;

    /// <inheritdoc/>
    public nuint FreeBytes => ((nuint)8 << 30) - allocated;

    /// <summary>What the loads and stores of each kernel cost so far, where that is counted.</summary>
    public IReadOnlyDictionary<string, AccessCounts> AccessCounts => counts;

    /// <summary>Launches so far.</summary>
    public long Launches { get; private set; }

    /// <summary>Graphs run so far.</summary>
    public long Replays { get; private set; }

    /// <inheritdoc/>
    public nint Allocate(nuint bytes)
    {
        ForbidInCapture("allocation");
        if (bytes > FreeBytes) throw new InsufficientMemoryException($"Out of device memory: {bytes:N0} bytes more were needed, {FreeBytes:N0} are free.");
        var memory = NativeMemory.AlignedAlloc(bytes, 256);
        NativeMemory.Fill(memory, bytes, 0xFF);
        allocated += bytes;
        emulator.Allocated((nint)memory, bytes);
        return (nint)memory;
    }

    /// <inheritdoc/>
    public void Free(nint pointer, nuint bytes)
    {
        ForbidInCapture("free");
        emulator.Freed(pointer);
        NativeMemory.AlignedFree((void*)pointer);
        allocated -= bytes;
    }

    /// <summary>Forbids kernels a part of device memory, where accesses are checked: what lies beside a tensor.</summary>
    public void Forbid(nint pointer, nuint bytes) => emulator.Forbid(pointer, bytes);

    /// <summary>Allows again the bytes that <see cref="Forbid"/> was given with this beginning.</summary>
    public void Allow(nint pointer) => emulator.Allow(pointer);

    /// <inheritdoc/>
    public nint Load(KernelProgram program, string kernel)
    {
        kernels.Add(EmulatedProgram.Of(program, options.Checks || options.Counts).Find(kernel) ?? throw new CudaKernelException($"Program {program.Name} has no kernel {kernel}."));
        return kernels.Count - 1;
    }

    /// <inheritdoc/>
    public void Launch(nint kernel, in LaunchShape shape, scoped in KernelArguments arguments)
    {
        var target = kernels[(int)kernel];
        if (!arguments.Kinds.SequenceEqual(target.Kinds))
        {
            throw new InvalidOperationException(
                $"{target.Name} takes ({string.Join(", ", target.Kinds)}) and was given ({string.Join(", ", arguments.Kinds.ToArray())}).");
        }
        if (shape.GridX < 1 || shape.GridY is < 1 or > 65535 || shape.GridZ is < 1 or > 65535 || shape.Threads is < 1 or > 1024 || shape.SharedBytes > SharedBytesPerBlock)
        {
            throw new InvalidOperationException($"{target.Name}: no card takes {shape}.");
        }
        Launches++;
        if (captured is null) Run(target, shape, arguments.Values);
        else Capture(target, shape, arguments.Values.ToArray());
    }

    /// <inheritdoc/>
    public void Multiply(in MatrixProduct product)
    {
        if (product.Result != product.Operands && product.Result != DType.Float32)
        {
            throw new InvalidOperationException($"No product of {product.Operands} gives {product.Result}.");
        }
        if (captured is null) emulator.Multiply(product);
        else Capture(product);
    }

    /// <inheritdoc/>
    public void CopyToDevice(nint to, ReadOnlySpan<byte> from)
    {
        ForbidInCapture("copy from the host");
        from.CopyTo(new Span<byte>((void*)to, from.Length));
    }

    /// <inheritdoc/>
    public void CopyToHost(Span<byte> to, nint from)
    {
        ForbidInCapture("copy to the host");
        new Span<byte>((void*)from, to.Length).CopyTo(to);
    }

    /// <inheritdoc/>
    public nint BeginCopyToHost(nint from, nuint bytes)
    {
        ForbidInCapture("copy to the host");
        reads.Add(++begunReads, (from, (int)bytes));
        return begunReads;
    }

    /// <inheritdoc/>
    public void EndCopyToHost(nint copy, Span<byte> to)
    {
        // As late as a card may do it: what was written to meanwhile arrives changed.
        if (!reads.Remove(copy, out var begun) || begun.Bytes != to.Length) throw new InvalidOperationException($"No copy of {to.Length} bytes is under way by this number.");
        new Span<byte>((void*)begun.From, to.Length).CopyTo(to);
    }

    /// <inheritdoc/>
    public void CopyOnDevice(nint to, nint from, nuint bytes)
    {
        if (captured is null) Buffer.MemoryCopy((void*)from, (void*)to, bytes, bytes);
        else Capture(to, from, bytes);
    }

    /// <inheritdoc/>
    public void Synchronise() => ForbidInCapture("synchronisation");

    /// <inheritdoc/>
    public nint Mark() => (nint)(++marks);

    /// <inheritdoc/>
    public double ElapsedMilliseconds(nint from, nint to) => to - from;

    /// <inheritdoc/>
    public void FreeMark(nint mark) { }

    /// <inheritdoc/>
    public void BeginCapture()
    {
        ForbidInCapture("second capture");
        captured = [];
    }

    /// <inheritdoc/>
    public nint EndCapture()
    {
        graphs.Add(captured ?? throw new InvalidOperationException("Nothing is being captured."));
        captured = null;
        return graphs.Count - 1;
    }

    /// <inheritdoc/>
    public void AbortCapture() => captured = null;

    /// <inheritdoc/>
    public void Replay(nint graph)
    {
        Replays++;
        foreach (var action in graphs[(int)graph]!) action();
    }

    /// <inheritdoc/>
    public void FreeGraph(nint graph) => graphs[(int)graph] = null;

    /// <inheritdoc/>
    public void Dispose() { }

    private void Run(EmulatedKernel kernel, in LaunchShape shape, ReadOnlySpan<ulong> values)
    {
        var counted = emulator.Launch(kernel.Address, shape, values, options);
        if (options.Counts) counts[kernel.Name] = counts.GetValueOrDefault(kernel.Name) + counted;
    }

    // Apart from their callers: a lambda's captured variables are allocated where the method begins.
    private void Capture(EmulatedKernel kernel, LaunchShape shape, ulong[] values) => captured!.Add(() => Run(kernel, shape, values));

    private void Capture(MatrixProduct product) => captured!.Add(() => emulator.Multiply(product));

    private void Capture(nint to, nint from, nuint bytes) => captured!.Add(() => Buffer.MemoryCopy((void*)from, (void*)to, bytes, bytes));

    private void ForbidInCapture(string what)
    {
        if (captured is not null) throw new InvalidOperationException($"A {what} in a captured step.");
    }
}
