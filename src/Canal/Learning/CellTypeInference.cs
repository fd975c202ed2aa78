using Canal.Engine.Autograd;
using Canal.Engine.Layers;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>
/// Runs a network forward over cells in micro-batches of one fixed size, the last one filled up with empty cells, so that a cell gets the
/// same bits in whatever company it comes (design.md, Determinism).
/// </summary>
internal sealed class CellTypeInference : IDisposable
{
    private const int TokensPerBatch = 16_384, MostCells = 16;
    private readonly CellTypeNetwork network;
    private readonly Tape tape;
    private readonly SparseBatch sparse;
    private readonly Tensor prefixRows;

    /// <summary>Prepares inference.</summary>
    /// <param name="network">The network; parameters may change between batches.</param>
    /// <param name="prefix">The frozen blocks' outputs, or null to compute them.</param>
    public CellTypeInference(CellTypeNetwork network, ActivationCache? prefix = null)
    {
        (this.network, Prefix) = (network, prefix);
        BatchCells = BatchFor(network.Encoder.Geometry);
        tape = Tape.ForInference(network.Device);
        sparse = new SparseBatch(network.Device, BatchCells, network.Genes);
        var geometry = network.Encoder.Geometry;
        prefixRows = prefix is null ? Tensor.None : network.Device.Allocate(new Shape(BatchCells * geometry.Positions, geometry.Width));
    }

    /// <summary>Cells of a micro-batch.</summary>
    public int BatchCells { get; }

    /// <summary>The tape; <see cref="End"/> clears it.</summary>
    public Tape Tape => tape;

    private ActivationCache? Prefix { get; }

    /// <summary>Cells of a micro-batch: a function of the geometry alone.</summary>
    public static int BatchFor(EncoderGeometry geometry) => Math.Clamp(TokensPerBatch / geometry.Positions, 1, MostCells);

    /// <summary>Forward to the logits. Rows of empty cells follow those of the cells asked for. Read what is needed, then call <see cref="End"/>.</summary>
    public CellTypeOutput Forward(ICellTokens tokens, ReadOnlySpan<int> cells)
    {
        var pass = new EncoderPass(BatchCells);
        var input = Prefix is null ? Embedded(tokens, cells, pass) : Cached(cells);
        var output = network.Suffix(tape, input, pass);
        input.Release();
        return output;
    }

    /// <summary>Forward to the encoder's output y, [BatchCells·T, C].</summary>
    public Variable ForwardEncoder(ICellTokens tokens, ReadOnlySpan<int> cells)
    {
        var pass = new EncoderPass(BatchCells);
        var input = Prefix is null ? Embedded(tokens, cells, pass) : Cached(cells);
        var y = network.Encoder.Forward(tape, input, pass, network.Encoder.FrozenBlocks);
        input.Release();
        return y;
    }

    /// <summary>Forward to the input of the first block that trains, [BatchCells, T·C].</summary>
    public Variable ForwardPrefix(ICellTokens tokens, ReadOnlySpan<int> cells) => Embedded(tokens, cells, new EncoderPass(BatchCells));

    /// <summary>The batch's dense tokens alone.</summary>
    public Tensor Expand(ICellTokens tokens, ReadOnlySpan<int> cells)
    {
        sparse.Gather(tokens, cells, BatchCells);
        return sparse.Expand(BatchCells);
    }

    /// <summary>Gives back the batch's memory.</summary>
    public void End() => tape.Clear();

    /// <inheritdoc/>
    public void Dispose()
    {
        tape.Dispose();
        sparse.Dispose();
        if (!prefixRows.IsNone) prefixRows.Storage.Dispose();
    }

    private Variable Embedded(ICellTokens tokens, ReadOnlySpan<int> cells, EncoderPass pass) => network.Prefix(tape, Expand(tokens, cells), pass);

    // A row that is not asked for repeats the first: any finite values do, as no cell sees another.
    private Variable Cached(ReadOnlySpan<int> cells)
    {
        Span<int> filled = stackalloc int[MostCells];
        for (var i = 0; i < BatchCells; i++) filled[i] = cells[i < cells.Length ? i : 0];
        Prefix!.Read(filled[..BatchCells], prefixRows);
        return tape.Borrow(prefixRows);
    }
}
