using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>A CUDA runtime without memory and without results, which remembers what was launched. All values read from it are zero.</summary>
internal sealed class RecordingRuntime(int architecture, int multiprocessors) : ICudaRuntime
{
    private readonly List<(KernelProgram Program, string Kernel)> kernels = [];

    /// <summary>The operation that launches belong to now.</summary>
    public OperationRun? Current { get; set; }

    public string Description => "records launches";

    public int Architecture => architecture;

    public int Multiprocessors => multiprocessors;

    public int SharedBytesPerBlock => Multiprocessor.Of(architecture).BlockSharedBytes;

    public nuint FreeBytes => nuint.MaxValue;

    public nint Allocate(nuint bytes) => 0;

    public void Free(nint pointer, nuint bytes) { }

    public nint Load(KernelProgram program, string kernel)
    {
        kernels.Add((program, kernel));
        return kernels.Count;
    }

    public void Launch(nint kernel, in LaunchShape shape, scoped in KernelArguments arguments)
    {
        var (program, name) = kernels[(int)kernel - 1];
        Current?.Launches.Add(new KernelLaunch(program, name, shape));
    }

    public void Multiply(in MatrixProduct product)
    {
        if (Current is null) return;
        if (product.Operands != DType.Float32) Current.Arithmetic = Arithmetic.TensorHalf;
        else if (product.Tf32) Current.Arithmetic = Arithmetic.TensorTf32;
    }

    public void CopyToDevice(nint to, ReadOnlySpan<byte> from) { }

    public void CopyToHost(Span<byte> to, nint from) => to.Clear();

    public nint BeginCopyToHost(nint from, nuint bytes) => 0;

    public void EndCopyToHost(nint copy, Span<byte> to) => to.Clear();

    public void CopyOnDevice(nint to, nint from, nuint bytes) { }

    public void Synchronise() { }

    public nint Mark() => 0;

    public double ElapsedMilliseconds(nint from, nint to) => 0;

    public void FreeMark(nint mark) { }

    public void BeginCapture() { }

    public nint EndCapture() => 0;

    public void AbortCapture() { }

    public void Replay(nint graph) { }

    public void FreeGraph(nint graph) { }

    public void Dispose() { }
}
