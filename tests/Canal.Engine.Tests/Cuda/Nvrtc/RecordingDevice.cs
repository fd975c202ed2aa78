using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Runs the CUDA device's own launch code over a <see cref="RecordingRuntime"/> and remembers every operation with its launches.</summary>
internal sealed class RecordingDevice : Device
{
    private readonly CudaDevice inner;
    private readonly RecordingRuntime runtime;

    public RecordingDevice(RecordingRuntime runtime, CudaPrecision precision) : this(runtime, new CudaDevice(runtime, new CudaOptions { Precision = precision })) { }

    private RecordingDevice(RecordingRuntime runtime, CudaDevice inner) : base(inner.Memory) => (this.runtime, this.inner) = (runtime, inner);

    public List<OperationRun> Runs { get; } = [];

    public override string Description => inner.Description;

    public override DeviceKind Kind => inner.Kind;

    public override DType ActivationType(bool training) => inner.ActivationType(training);

    public override void Copy(Tensor to, Tensor from) => inner.Copy(to, from);

    public override void CopyFromHost(Tensor to, ReadOnlySpan<byte> from) => inner.CopyFromHost(to, from);

    public override void CopyToHost(Span<byte> to, Tensor from) => inner.CopyToHost(to, from);

    public override void Synchronise() => inner.Synchronise();

    public override void Dispose()
    {
        inner.Dispose();
        base.Dispose();
    }

    protected override void Execute<TOp>(in TOp operation, ref OperationDescription description)
    {
        if (operation is EncoderBlockForward block)
        {
            using var scratch = Memory.Rent(Math.Max(1, description.ScratchBytes));
            var parts = new Parts(this);
            EncoderBlockParts.Run(block, scratch, ref parts);
            return;
        }
        var run = new OperationRun
        {
            Name = TOp.Name,
            Size = description.Uses.IsEmpty ? "" : description.Uses[0].Expected.ToString(),
            Flops = description.Flops,
            Bytes = description.Bytes,
            Exponentials = Exponentials.Of(operation),
            Attention = operation switch { FavorForward forward => forward.Sizes, FavorBackward backward => backward.Sizes, _ => null },
            Arithmetic = Exponentials.IsAttention(operation) && IsHalf(description.Uses) ? Arithmetic.TensorHalf : Arithmetic.Float32,
        };
        Runs.Add(run);
        if (!CudaDevice.Implements(typeof(TOp))) return;
        runtime.Current = run;
        inner.Run(in operation);
        runtime.Current = null;
        if (run.Launches.Count > 0 && run.Arithmetic == Arithmetic.TensorHalf && !run.Launches.Any(OnTensorCores)) run.Arithmetic = Arithmetic.Float32;
    }

    // Half precision operands alone do not make products of tensor cores: there are kernels for both.
    private static bool OnTensorCores(KernelLaunch launch) => launch.Program.Files.Any(file => file.Contains("tensor", StringComparison.Ordinal));

    // A card runs a block as its parts, and each is told by itself.
    private readonly struct Parts(RecordingDevice device) : IOperationSink
    {
        public void Take<TOp>(in TOp operation) where TOp : struct, IOperation => device.Run(in operation);
    }

    private static bool IsHalf(ReadOnlySpan<TensorUse> uses)
    {
        foreach (ref readonly var use in uses)
        {
            if (use.Type is DType.Float16 or DType.BFloat16) return true;
        }
        return false;
    }
}
