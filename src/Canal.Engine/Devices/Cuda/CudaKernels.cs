using System.Diagnostics.CodeAnalysis;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>The implementation of one operation: chooses kernels, launch shapes and arguments.</summary>
/// <param name="operation">The validated arguments.</param>
/// <param name="device">The device: launches, products, scratch.</param>
internal delegate void CudaKernel<TOp>(in TOp operation, CudaDevice device) where TOp : struct, IOperation;

/// <summary>Which launcher runs which operation: one line an operation, grouped by file.</summary>
internal static class CudaKernels
{
    private static readonly Dictionary<Type, Delegate> ByOperation = [];

    static CudaKernels()
    {
        // Elementwise.cs
        Register<Fill>(ElementwiseLaunches.Fill);
        Register<Add>(ElementwiseLaunches.Add);
        Register<Operations.Convert>(ElementwiseLaunches.Convert);
        Register<BroadcastBias>(ElementwiseLaunches.BroadcastBias);

        // RowSums.cs
        Register<ColumnSum>(RowSumLaunches.ColumnSum);

        // Gelu.cs, Relu.cs
        Register<GeluForward>(GeluLaunches.Forward);
        Register<GeluBackward>(GeluLaunches.Backward);
        Register<ReluForward>(ReluLaunches.Forward);
        Register<ReluBackward>(ReluLaunches.Backward);

        // LayerNorm.cs
        Register<LayerNormForward>(LayerNormLaunches.Forward);
        Register<LayerNormBackward>(LayerNormLaunches.Backward);

        // HeadFilter.cs
        Register<HeadFilterForward>(HeadFilterLaunches.Forward);
        Register<HeadFilterBackward>(HeadFilterLaunches.Backward);

        // BinCounts.cs, Embedding.cs
        Register<BinCounts>(BinCountsLaunches.Run);
        Register<ExpandTokens>(EmbeddingLaunches.Expand);
        Register<EmbeddingForward>(EmbeddingLaunches.Forward);
        Register<EmbeddingBackward>(EmbeddingLaunches.Backward);

        // CrossEntropy.cs, Distillation.cs, Prediction.cs
        Register<CrossEntropyForward>(CrossEntropyLaunches.Forward);
        Register<CrossEntropyBackward>(CrossEntropyLaunches.Backward);
        Register<DistillationForward>(DistillationLaunches.Forward);
        Register<DistillationBackward>(DistillationLaunches.Backward);
        Register<Prediction>(PredictionLaunches.Predict);
        Register<ManifoldMixing>(PredictionLaunches.Mix);

        // Adam.cs
        Register<AdamUpdate>(AdamLaunches.Update);
        Register<GradientNorm>(AdamLaunches.Norm);

        // EncoderBlock.cs
        Register<EncoderBlockForward>(EncoderBlockLaunches.Forward);

        // FavorForward.cs
        Register<FavorForward>(FavorForwardLaunches.Run);

        // FavorBackward.cs
        Register<FavorBackward>(FavorBackwardLaunches.Run);

        // GeneAttention.cs
        Register<GeneAttention>(GeneAttentionLaunches.Run);

        // MatMul.cs
        Register<MatMul>(MatMulLaunches.Run);
    }

    /// <summary>Whether an operation, given by the type of its arguments, has a launcher.</summary>
    public static bool Contains(Type operation) => ByOperation.ContainsKey(operation);

    /// <summary>The launcher of an operation.</summary>
    public static bool TryGet<TOp>([NotNullWhen(true)] out CudaKernel<TOp>? kernel) where TOp : struct, IOperation
    {
        kernel = ByOperation.TryGetValue(typeof(TOp), out var found) ? (CudaKernel<TOp>)found : null;
        return kernel is not null;
    }

    private static void Register<TOp>(CudaKernel<TOp> kernel) where TOp : struct, IOperation => ByOperation.Add(typeof(TOp), kernel);
}
