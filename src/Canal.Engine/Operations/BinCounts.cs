using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Counts of the aligned genes of sparse cells to expression bins by <see cref="BinRule"/>: each cell's total, then each gene's bin.</summary>
/// <param name="Bins">UInt8 [E], written: bins 0 to 5; 0 for entries of no cell.</param>
/// <param name="Counts">[E]: counts, cell after cell; all genes that make up a cell's total. Not above 0, or NaN: bin 0.</param>
/// <param name="Offsets">Int32 [B + 1]: where each cell's entries start in Counts, rising from 0; entries from the last offset on belong to no cell.</param>
public readonly record struct BinCounts(Tensor Bins, Tensor Counts, Tensor Offsets) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "bin_counts";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var entries = new Shape((int)Counts.Count);
        d.Use(Bins, Access.Write, entries, DType.UInt8);
        d.Use(Counts, Access.Read, entries);
        d.Use(Offsets, Access.Read, new Shape((int)Math.Max(1, Offsets.Count)), DType.Int32);
        d.Work(11 * Counts.Count);
    }
}
