using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Over what the keys' stabilising maximum M is taken.</summary>
public enum KeyMaximumScope : byte
{
    /// <summary>One M a cell, over its heads, tokens and features: a cell's result does not depend on its batch.</summary>
    Cell,

    /// <summary>One M for the whole batch, as the reference's training step; for parity with golden fixtures.</summary>
    Batch,
}

/// <summary>Sizes of FAVOR+ attention over a batch of cells of equal length.</summary>
/// <param name="Cells">B.</param>
/// <param name="Tokens">T, tokens a cell.</param>
/// <param name="Heads">H.</param>
/// <param name="HeadWidth">D.</param>
/// <param name="Features">M, random features.</param>
/// <param name="Scope">Over what M is taken.</param>
public readonly record struct FavorSizes(int Cells, int Tokens, int Heads, int HeadWidth, int Features, KeyMaximumScope Scope)
{
    /// <summary>eps of the feature map (Choromanski et al. 2021, reference code).</summary>
    public const float FeatureMapEpsilon = 1e-4f;

    /// <summary>Number of maxima: B, or 1 in batch scope.</summary>
    public int Maxima => Scope == KeyMaximumScope.Cell ? Cells : 1;

    /// <summary>[B·T, H·D]: queries, keys, values, outputs and their gradients.</summary>
    public Shape Rows => new(Cells * Tokens, Heads * HeadWidth);

    /// <summary>Tokens of a split: sums over tokens run within splits and the splits are merged in their order, so that the bits depend on the cell alone.</summary>
    internal const int SplitTokens = 256;

    /// <summary>Splits of a cell.</summary>
    internal int Splits => (Tokens + SplitTokens - 1) / SplitTokens;

    /// <summary>Cells times heads.</summary>
    internal int CellHeads => Cells * Heads;

    /// <summary>How many heads' splits are summed before they are merged: enough work for many threads, bounded memory. Changes no bit.</summary>
    internal int WaveHeads => Math.Min(CellHeads, Math.Max(1, 128 / Math.Max(1, Splits)));

    /// <summary>A size rounded up to the 16 floats of the widest register.</summary>
    internal static int Padded(int size) => (size + 15) / 16 * 16;

    /// <summary>Floats of the sums of one head: a header, then [M], [D], [D] and [M, D], padded.</summary>
    internal static int SumsFloats(int features, int width) => NormaliserFloats(features, width) + (Padded(features) * Padded(width));

    /// <summary>Floats of the sums of one head without the last, largest part.</summary>
    internal static int NormaliserFloats(int features, int width) => 16 + Padded(features) + (2 * Padded(width));

    /// <summary>Floats of the projection packed for tiles, both ways round.</summary>
    internal int PackedFloats => Padded(Features) * (HeadWidth + Padded(HeadWidth));

    /// <summary>Bytes of a number of floats, checked.</summary>
    internal static nuint Bytes(long floats) => checked((nuint)(floats * sizeof(float)));
}

/// <summary>What the forward pass of FAVOR+ leaves for the backward pass: a few numbers a head, no features.</summary>
/// <param name="Sums">[B, H, M, D]: centred S' = A - s v0^T.</param>
/// <param name="Normalisers">[B, H, M]: z = s + eps n.</param>
/// <param name="MeanValues">[B, H, D]: v0.</param>
/// <param name="KeyMaximum">[maxima]: M.</param>
/// <param name="KeyMaximumAt">Int32 [maxima, 4]: cell, token, feature, head where M was found; ties go to the lowest in that order.</param>
public readonly record struct FavorState(Tensor Sums, Tensor Normalisers, Tensor MeanValues, Tensor KeyMaximum, Tensor KeyMaximumAt)
{
    internal void Describe(ref OperationDescription d, Access access, FavorSizes s)
    {
        d.Use(Sums, access, new Shape(s.Cells, s.Heads, s.Features, s.HeadWidth));
        d.Use(Normalisers, access, new Shape(s.Cells, s.Heads, s.Features));
        d.Use(MeanValues, access, new Shape(s.Cells, s.Heads, s.HeadWidth));
        d.Use(KeyMaximum, access, new Shape(s.Maxima));
        d.Use(KeyMaximumAt, access, new Shape(s.Maxima, 4), DType.Int32);
    }
}

/// <summary>
/// Fused FAVOR+ attention, forward, in the centred form (method.md section 2): out_i = v0 + phi_q^T S' / (phi_q . z).
/// Never holds the features of more than a tile of tokens.
/// </summary>
/// <param name="Out">[B·T, H·D].</param>
/// <param name="State">Left for the backward pass.</param>
/// <param name="Q">[B·T, H·D].</param>
/// <param name="K">[B·T, H·D].</param>
/// <param name="V">[B·T, H·D].</param>
/// <param name="Projection">[M, D]: P, block-orthogonal Gaussian.</param>
/// <param name="Sizes">Sizes and the scope of M.</param>
/// <param name="Guard">
/// Int32 [H], or none: to a head's number <see cref="NonFiniteKeys"/>, <see cref="NonFiniteValues"/> and <see cref="NonFiniteQueries"/> are added as
/// bits where its sums over the keys, its mean value or the denominator of one of its queries is infinite or not a number. Only tensor cores look; elsewhere it stays as it was.
/// </param>
public readonly record struct FavorForward(Tensor Out, FavorState State, Tensor Q, Tensor K, Tensor V, Tensor Projection, FavorSizes Sizes, Tensor Guard = default) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "favor_forward";

    /// <summary>Bit of <see cref="Guard"/>: the sums of u over the keys are not finite.</summary>
    public const int NonFiniteKeys = 1;

    /// <summary>Bit of <see cref="Guard"/>: the sum of the values is not finite.</summary>
    public const int NonFiniteValues = 2;

    /// <summary>Bit of <see cref="Guard"/>: a query's denominator is not finite though the keys are.</summary>
    public const int NonFiniteQueries = 4;

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(Out, Access.Write, Sizes.Rows, like: Q);
        State.Describe(ref d, Access.Write, Sizes);
        d.UseActivation(Q, Access.Read, Sizes.Rows);
        d.UseActivation(K, Access.Read, Sizes.Rows, like: Q);
        d.UseActivation(V, Access.Read, Sizes.Rows, like: Q);
        d.Use(Projection, Access.Read, new Shape(Sizes.Features, Sizes.HeadWidth));
        if (!Guard.IsNone) d.Use(Guard, Access.Update, new Shape(Sizes.Heads), DType.Int32);
        d.Scratch(FavorSizes.Bytes(ScratchFloats(Sizes)));
        d.WorkerScratch(FavorSizes.Bytes(new FavorLayout(Sizes).ForwardScratchFloats));
        d.CudaScratch(nuint.Max(FavorSizes.Bytes(FavorForwardLaunches.ScratchFloats(Sizes)), FavorTensorCores.ForwardScratch(Q.Type, Sizes)));
        d.Work(Flops(Sizes));
    }

    /// <summary>Packed projection, sums of a wave's splits, and each head's reference and maximum.</summary>
    internal static long ScratchFloats(FavorSizes s) =>
        s.PackedFloats + ((long)s.WaveHeads * s.Splits * FavorSizes.SumsFloats(s.Features, s.HeadWidth)) + (16L * s.CellHeads);

    /// <summary>FLOPs: two projections, key sums and query products, 2·M·D each a token and head, and the normaliser.</summary>
    public static long Flops(FavorSizes s) => (long)s.Cells * s.Tokens * s.Heads * s.Features * (8L * s.HeadWidth + 5);
}

/// <summary>Fused FAVOR+ attention, backward, with recomputed features; the gradient goes through both maxima.</summary>
/// <param name="DQ">[B·T, H·D], written.</param>
/// <param name="DK">[B·T, H·D], written.</param>
/// <param name="DV">[B·T, H·D], written.</param>
/// <param name="DOut">[B·T, H·D].</param>
/// <param name="Out">[B·T, H·D], of the forward pass; the CPU has no use for it (it computes dO . (O - v0) from S' dO, without the cancellation).</param>
/// <param name="State">Of the forward pass.</param>
/// <param name="Q">[B·T, H·D].</param>
/// <param name="K">[B·T, H·D].</param>
/// <param name="V">[B·T, H·D].</param>
/// <param name="Projection">[M, D].</param>
/// <param name="Sizes">Sizes and the scope of M.</param>
public readonly record struct FavorBackward(
    Tensor DQ, Tensor DK, Tensor DV, Tensor DOut, Tensor Out, FavorState State, Tensor Q, Tensor K, Tensor V, Tensor Projection, FavorSizes Sizes) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "favor_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(DQ, Access.Write, Sizes.Rows, like: Q);
        d.UseActivation(DK, Access.Write, Sizes.Rows, like: Q);
        d.UseActivation(DV, Access.Write, Sizes.Rows, like: Q);
        d.UseActivation(DOut, Access.Read, Sizes.Rows, like: Q);
        d.UseActivation(Out, Access.Read, Sizes.Rows, like: Q);
        State.Describe(ref d, Access.Read, Sizes);
        d.UseActivation(Q, Access.Read, Sizes.Rows);
        d.UseActivation(K, Access.Read, Sizes.Rows, like: Q);
        d.UseActivation(V, Access.Read, Sizes.Rows, like: Q);
        d.Use(Projection, Access.Read, new Shape(Sizes.Features, Sizes.HeadWidth));
        d.Scratch(FavorSizes.Bytes(ScratchFloats(Sizes)));
        d.WorkerScratch(FavorSizes.Bytes(2L * new FavorLayout(Sizes).TileFloats));
        d.CudaScratch(nuint.Max(FavorSizes.Bytes(FavorBackwardLaunches.ScratchFloats(Sizes)), FavorTensorCores.BackwardScratch(Q.Type, Sizes)));
        d.Work(Flops(Sizes));
    }

    /// <summary>
    /// Packed projection; for each head of a wave S' and dS, both also transposed, and the sums of its splits; each head's share of g of the key maximum.
    /// </summary>
    internal static long ScratchFloats(FavorSizes s) =>
        s.PackedFloats
        + (s.WaveHeads * (((2L + s.Splits) * FavorSizes.SumsFloats(s.Features, s.HeadWidth)) + (2L * s.HeadWidth * FavorSizes.Padded(s.Features))))
        + FavorSizes.Padded(s.CellHeads);

    /// <summary>
    /// FLOPs: eight products of 2·M·D a token and head (two recomputed projections, S' dO and dS (v - v0), dS, dq, dk and dv), and the exponentials' neighbours.
    /// </summary>
    public static long Flops(FavorSizes s) => (long)s.Cells * s.Tokens * s.Heads * s.Features * (16L * s.HeadWidth + 16);
}

/// <summary>
/// Gene attention in linear time: scores[b, j] += sum over heads of phi_k(k_j) . sum_i phi_q(q_i) / (phi_q(q_i) . z) * Scale,
/// the column sums of the attention matrix.
/// </summary>
/// <param name="Scores">[B, T], accumulated.</param>
/// <param name="Q">[B·T, H·D].</param>
/// <param name="K">[B·T, H·D].</param>
/// <param name="Projection">[M, D].</param>
/// <param name="HeadWeights">[H]: weight of each head, for example 1 / (heads · blocks · T).</param>
/// <param name="Sizes">Sizes and the scope of M.</param>
public readonly record struct GeneAttention(Tensor Scores, Tensor Q, Tensor K, Tensor Projection, Tensor HeadWeights, FavorSizes Sizes) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "gene_attention";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(Scores, Access.Accumulate, new Shape(Sizes.Cells, Sizes.Tokens));
        d.UseActivation(Q, Access.Read, Sizes.Rows);
        d.UseActivation(K, Access.Read, Sizes.Rows, like: Q);
        d.Use(Projection, Access.Read, new Shape(Sizes.Features, Sizes.HeadWidth));
        d.Use(HeadWeights, Access.Read, new Shape(Sizes.Heads));
        d.Scratch(FavorSizes.Bytes(ScratchFloats(Sizes)));
        d.WorkerScratch(FavorSizes.Bytes(new FavorLayout(Sizes).TileFloats));
        d.CudaScratch(FavorSizes.Bytes(GeneAttentionLaunches.ScratchFloats(Sizes)));
        d.Work((long)Sizes.Cells * Sizes.Tokens * Sizes.Heads * Sizes.Features * (6L * Sizes.HeadWidth + 8));
    }

    /// <summary>Packed projection; z of each head, and of each split the sums over keys, then over queries.</summary>
    internal static long ScratchFloats(FavorSizes s) =>
        s.PackedFloats + ((long)s.CellHeads * (1 + s.Splits) * FavorSizes.NormaliserFloats(s.Features, s.HeadWidth));
}
