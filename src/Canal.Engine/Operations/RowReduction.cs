namespace Canal.Engine.Operations;

/// <summary>
/// How sums over rows (gradients of biases, norms, tables) are cut: chunks of a fixed number of rows, each summed in order, then the
/// chunks in order. A function of shape alone, so that the bits of a sum depend neither on threads nor on vector width.
/// </summary>
internal static class RowReduction
{
    /// <summary>Rows a chunk. Error and scratch both stay small: 256 times fewer partial rows than rows, runs of 256 additions.</summary>
    public const int ChunkRows = 256;

    /// <summary>Rows a chunk on a CUDA device (CHUNK_ROWS of rows.cuh): a block takes one, and 14,000 rows shall fill a card.</summary>
    public const int CudaChunkRows = 32;

    /// <summary>Columns that a block takes of a chunk on a CUDA device (TILE_COLUMNS of rows.cuh).</summary>
    public const int CudaTileColumns = 256;

    /// <summary>Elements a chunk of a sum over a flat array.</summary>
    public const int ChunkElements = 16384;

    /// <summary>Chunks that cover <paramref name="rows"/>.</summary>
    public static int Chunks(int rows) => (int)(((long)rows + ChunkRows - 1) / ChunkRows);

    /// <summary>Chunks that cover a flat array.</summary>
    public static int Chunks(long elements) => checked((int)((elements + ChunkElements - 1) / ChunkElements));

    /// <summary>Bytes of one float32 partial row a chunk.</summary>
    public static nuint ScratchBytes(int rows, int columns) => (nuint)Chunks(rows) * (nuint)columns * sizeof(float);

    /// <summary>Chunks that cover <paramref name="rows"/> on a CUDA device.</summary>
    public static int CudaChunks(int rows) => (int)(((long)rows + CudaChunkRows - 1) / CudaChunkRows);

    /// <summary>Tiles that cover a row of <paramref name="columns"/> on a CUDA device.</summary>
    public static long CudaTiles(int columns) => ((long)columns + CudaTileColumns - 1) / CudaTileColumns;

    /// <summary>Bytes of one float32 partial row a chunk on a CUDA device.</summary>
    public static nuint CudaScratchBytes(int rows, int columns) => (nuint)CudaChunks(rows) * (nuint)columns * sizeof(float);

    /// <summary>Bytes of one float64 partial sum a chunk.</summary>
    public static nuint ScratchBytes(long elements) => (nuint)Chunks(elements) * sizeof(double);
}
