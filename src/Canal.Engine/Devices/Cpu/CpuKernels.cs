using System.Diagnostics.CodeAnalysis;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu;

/// <summary>The implementation of one operation on the CPU: pointers come from the tensors, threads from <see cref="CpuDevice.Workers"/>.</summary>
/// <param name="operation">The validated arguments.</param>
/// <param name="device">The device: workers, scratch.</param>
internal delegate void CpuKernel<TOp>(in TOp operation, CpuDevice device) where TOp : struct, IOperation;

/// <summary>Which kernel runs which operation: one line an operation, grouped by file.</summary>
internal sealed class CpuKernels
{
    private readonly Dictionary<Type, Delegate> byOperation = [];

    private CpuKernels() { }

    /// <summary>The kernels for vectors of the given width.</summary>
    public static CpuKernels For(int vectorBits) => vectorBits switch
    {
        512 => Create<V512>(),
        256 => Create<V256>(),
        _ => Create<V128>(),
    };

    private static CpuKernels Create<V>() where V : struct, IVector<V>
    {
        var kernels = new CpuKernels();

        // Elementwise.cs
        kernels.Register<Fill>(ElementwiseKernels.Fill);
        kernels.Register<Add>(ElementwiseKernels.Add<V>);
        kernels.Register<BroadcastBias>(ElementwiseKernels.BroadcastBias<V>);

        // Convert.cs
        kernels.Register<Operations.Convert>(ConvertKernels.Run);

        // RowSums.cs
        kernels.Register<ColumnSum>(RowSums.ColumnSum<V>);

        // Gelu.cs, Relu.cs
        kernels.Register<GeluForward>(GeluKernels.Forward<V>);
        kernels.Register<GeluBackward>(GeluKernels.Backward<V>);
        kernels.Register<ReluForward>(ReluKernels.Forward<V>);
        kernels.Register<ReluBackward>(ReluKernels.Backward<V>);

        // LayerNorm.cs
        kernels.Register<LayerNormForward>(LayerNormKernels.Forward<V>);
        kernels.Register<LayerNormBackward>(LayerNormKernels.Backward<V>);

        // BinCounts.cs, Embedding.cs
        kernels.Register<BinCounts>(BinCountsKernel.Run);
        kernels.Register<ExpandTokens>(EmbeddingKernels.Expand);
        kernels.Register<EmbeddingForward>(EmbeddingKernels.Forward<V>);
        kernels.Register<EmbeddingBackward>(EmbeddingKernels.Backward<V>);

        // HeadFilter.cs
        kernels.Register<HeadFilterForward>(HeadFilterKernels.Forward<V>);
        kernels.Register<HeadFilterBackward>(HeadFilterKernels.Backward<V>);

        // CrossEntropy.cs, Distillation.cs, Prediction.cs
        kernels.Register<CrossEntropyForward>(CrossEntropyKernels.Forward);
        kernels.Register<CrossEntropyBackward>(CrossEntropyKernels.Backward);
        kernels.Register<DistillationForward>(DistillationKernels.Forward);
        kernels.Register<DistillationBackward>(DistillationKernels.Backward<V>);
        kernels.Register<Prediction>(PredictionKernels.Predict);
        kernels.Register<ManifoldMixing>(PredictionKernels.Mix<V>);

        // Adam.cs
        kernels.Register<AdamUpdate>(AdamKernels.Update<V>);
        kernels.Register<GradientNorm>(AdamKernels.Norm<V>);

        // FavorForward.cs, FavorBackward.cs, GeneAttention.cs
        kernels.Register<FavorForward>(FavorForwardKernel<V>.Run);
        kernels.Register<FavorBackward>(FavorBackwardKernel<V>.Run);
        kernels.Register<GeneAttention>(GeneAttentionKernel<V>.Run);

        // EncoderBlock.cs
        kernels.Register<EncoderBlockForward>(EncoderBlockKernel<V>.Run);

        // MatMul.cs
        kernels.Register<MatMul>(MatMulKernels.Run<V>);

        return kernels;
    }

    /// <summary>Whether an operation, given by the type of its arguments, has a kernel.</summary>
    public bool Contains(Type operation) => byOperation.ContainsKey(operation);

    /// <summary>The kernel of an operation.</summary>
    public bool TryGet<TOp>([NotNullWhen(true)] out CpuKernel<TOp>? kernel) where TOp : struct, IOperation
    {
        kernel = byOperation.TryGetValue(typeof(TOp), out var found) ? (CpuKernel<TOp>)found : null;
        return kernel is not null;
    }

    private void Register<TOp>(CpuKernel<TOp> kernel) where TOp : struct, IOperation => byOperation.Add(typeof(TOp), kernel);
}
