using Canal.Engine.Devices;
using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>
/// One encoder block's parameters, PyTorch layout: linear weights are [out, in]. The six linear weights have one element type, that of the block's
/// activations; everything else is float32.
/// </summary>
/// <param name="AttentionNormGamma">[C].</param>
/// <param name="AttentionNormBeta">[C].</param>
/// <param name="Query">[H·D, C].</param>
/// <param name="Key">[H·D, C].</param>
/// <param name="Value">[H·D, C].</param>
/// <param name="Output">[C, H·D].</param>
/// <param name="OutputBias">[C].</param>
/// <param name="FeedForwardNormGamma">[C].</param>
/// <param name="FeedForwardNormBeta">[C].</param>
/// <param name="W1">[F, C].</param>
/// <param name="B1">[F].</param>
/// <param name="W2">[C, F].</param>
/// <param name="B2">[C].</param>
/// <param name="Projection">[M, D].</param>
public readonly record struct EncoderBlockWeights(
    Tensor AttentionNormGamma, Tensor AttentionNormBeta, Tensor Query, Tensor Key, Tensor Value, Tensor Output, Tensor OutputBias,
    Tensor FeedForwardNormGamma, Tensor FeedForwardNormBeta, Tensor W1, Tensor B1, Tensor W2, Tensor B2, Tensor Projection);

/// <summary>
/// A whole encoder block for inference and frozen prefixes; nothing is kept for a backward pass. On the processor in one pass: parallel over (cell, tile
/// of tokens), a tile stays in cache through norm, q/k/v, features and feed-forward. On a CUDA card the single operations over scratch memory.
/// y = x' + W2 gelu(W1 LN(x') + b1) + b2 with x' = x + Wo FAVOR+(LN(x)) + bo.
/// </summary>
/// <param name="Y">[B·T, C]; may be X itself (in place).</param>
/// <param name="X">[B·T, C].</param>
/// <param name="Weights">The block's parameters.</param>
/// <param name="Sizes">Attention sizes; the scope must be the cell.</param>
/// <param name="NormEpsilon">1e-5.</param>
public readonly record struct EncoderBlockForward(Tensor Y, Tensor X, EncoderBlockWeights Weights, FavorSizes Sizes, float NormEpsilon) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "encoder_block_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (n, c, inner, f) = (X.Shape.Rows, X.Shape.Columns, Sizes.Heads * Sizes.HeadWidth, Weights.W1.Shape.Rows);
        d.Use(Y, Y == X ? Access.Update : Access.Write, new Shape(Sizes.Cells * Sizes.Tokens, c));
        d.Use(X, Access.Read, new Shape(Sizes.Cells * Sizes.Tokens, c));
        d.Use(Weights.AttentionNormGamma, Access.Read, new Shape(c));
        d.Use(Weights.AttentionNormBeta, Access.Read, new Shape(c));
        d.UseActivation(Weights.Query, Access.Read, new Shape(inner, c));
        d.Use(Weights.Key, Access.Read, new Shape(inner, c), Weights.Query.Type);
        d.Use(Weights.Value, Access.Read, new Shape(inner, c), Weights.Query.Type);
        d.Use(Weights.Output, Access.Read, new Shape(c, inner), Weights.Query.Type);
        d.Use(Weights.OutputBias, Access.Read, new Shape(c));
        d.Use(Weights.FeedForwardNormGamma, Access.Read, new Shape(c));
        d.Use(Weights.FeedForwardNormBeta, Access.Read, new Shape(c));
        d.Use(Weights.W1, Access.Read, new Shape(f, c), Weights.Query.Type);
        d.Use(Weights.B1, Access.Read, new Shape(f));
        d.Use(Weights.W2, Access.Read, new Shape(c, f), Weights.Query.Type);
        d.Use(Weights.B2, Access.Read, new Shape(c));
        d.Use(Weights.Projection, Access.Read, new Shape(Sizes.Features, Sizes.HeadWidth));
        d.Work((2L * n * c * inner * 4) + (4L * n * c * f) + (16L * n * c) + (20L * n * f) + FavorForward.Flops(Sizes));
        d.Scratch(BlockSizes.ScratchBytes);
        d.WorkerScratch(BlockSizes.WorkerScratchBytes);
        if (d.Kind == DeviceKind.Cuda) d.CudaScratch(EncoderBlockParts.ScratchBytes(this));
    }

    internal EncoderBlockSizes BlockSizes => new(Sizes, X.Shape.Columns, Weights.W1.Shape.Rows);
}
