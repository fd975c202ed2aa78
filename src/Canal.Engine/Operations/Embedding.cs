using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Expands sparse cells into dense tokens: zero everywhere but at the expressed genes. The last position is the trailing token 0.</summary>
/// <param name="Tokens">UInt8 [B, T], written.</param>
/// <param name="Offsets">Int32 [B + 1]: where each cell's entries start in Positions and Bins.</param>
/// <param name="Positions">UInt16 [E]: position of the gene in the panel, below T - 1 and once a cell, or <see cref="Nowhere"/>.</param>
/// <param name="Bins">UInt8 [E]: its token.</param>
public readonly record struct ExpandTokens(Tensor Tokens, Tensor Offsets, Tensor Positions, Tensor Bins) : IOperation
{
    /// <summary>The position of a gene that counts in its cell's total and is not in the panel: its entry is passed over.</summary>
    public const ushort Nowhere = ushort.MaxValue;

    /// <inheritdoc/>
    public static string Name => "expand_tokens";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(Tokens, Access.Write, new Shape(Tokens.Shape[0], Tokens.Shape[1]), DType.UInt8);
        d.Use(Offsets, Access.Read, new Shape(Tokens.Shape[0] + 1), DType.Int32);
        d.Use(Positions, Access.Read, new Shape((int)Positions.Count), DType.UInt16);
        d.Use(Bins, Access.Read, new Shape((int)Positions.Count), DType.UInt8);
    }
}

/// <summary>x[b, t] = BinEmbedding[token[b, t]] + GeneEmbedding[t] (scBERT's input layer).</summary>
/// <param name="X">[B·T, C].</param>
/// <param name="Tokens">UInt8 [B, T], each below the number of rows of the bin table.</param>
/// <param name="BinTable">[tokens, C].</param>
/// <param name="GeneTable">[T, C]; the last row belongs to the trailing token.</param>
public readonly record struct EmbeddingForward(Tensor X, Tensor Tokens, Tensor BinTable, Tensor GeneTable) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "embedding_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (b, t, c) = (Tokens.Shape[0], Tokens.Shape[1], X.Shape.Columns);
        d.Use(X, Access.Write, new Shape(b * t, c));
        d.Use(Tokens, Access.Read, new Shape(b, t), DType.UInt8);
        d.Use(BinTable, Access.Read, new Shape(BinTable.Shape.Rows, c));
        d.Use(GeneTable, Access.Read, new Shape(t, c));
        d.Work((long)b * t * c);
    }
}

/// <summary>Gradients of both tables; sums over cells and positions in a fixed order.</summary>
/// <param name="DBinTable">[tokens, C], accumulated; none where frozen.</param>
/// <param name="DGeneTable">[T, C], accumulated; none where frozen.</param>
/// <param name="DX">[B·T, C].</param>
/// <param name="Tokens">UInt8 [B, T].</param>
public readonly record struct EmbeddingBackward(Tensor DBinTable, Tensor DGeneTable, Tensor DX, Tensor Tokens) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "embedding_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (b, t, c) = (Tokens.Shape[0], Tokens.Shape[1], DX.Shape.Columns);
        d.UseOptional(DBinTable, Access.Accumulate, DBinTable.Shape);
        d.UseOptional(DGeneTable, Access.Accumulate, new Shape(t, c));
        d.Use(DX, Access.Read, new Shape(b * t, c));
        d.Use(Tokens, Access.Read, new Shape(b, t), DType.UInt8);
        if (!DBinTable.IsNone)
        {
            d.Scratch(RowReduction.ScratchBytes(b * t, checked((int)DBinTable.Count)));
            d.CudaScratch((nuint)CudaChunks(b * t) * DBinTable.Bytes);
        }
        d.Work((long)b * t * c * ((DBinTable.IsNone ? 0 : 1) + (DGeneTable.IsNone ? 0 : 1)));
    }

    // Rows a chunk on a CUDA device (EMBEDDING_CHUNK of embedding.cu): 14,000 rows fill a card, and the partial tables stay small beside them.
    internal const int CudaChunkRows = 128;

    internal static int CudaChunks(int rows) => (int)(((long)rows + CudaChunkRows - 1) / CudaChunkRows);

    // Groups of rows that a CUDA block sums side by side, each in shared memory of its own: as many as 32 KiB hold.
    internal static int Groups(int kinds) => Math.Clamp(256 / kinds, 1, 8);
}
