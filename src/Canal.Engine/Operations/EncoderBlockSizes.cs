using Canal.Engine.Devices.Cpu.Encoder;
using Canal.Engine.Devices.Cpu.Favor;

namespace Canal.Engine.Operations;

/// <summary>Sizes of an encoder block over a batch.</summary>
/// <param name="Favor">Cells, tokens, heads, head width, features.</param>
/// <param name="Channels">C.</param>
/// <param name="Hidden">F, width of the feed-forward layer.</param>
internal readonly record struct EncoderBlockSizes(FavorSizes Favor, int Channels, int Hidden)
{
    /// <summary>Most floats of key sums that exist at a time, unless a single cell needs more: 48 MiB.</summary>
    private const long WaveFloats = 12L << 20;

    /// <summary>H·D.</summary>
    public int Inner => Favor.Heads * Favor.HeadWidth;

    /// <summary>Floats of one head's key sums.</summary>
    public long SumsFloats => FavorSizes.SumsFloats(Favor.Features, Favor.HeadWidth);

    /// <summary>Cells whose key sums are held at a time: changes memory, no bit.</summary>
    public int WaveCells => (int)Math.Clamp(WaveFloats / Math.Max(1, CellFloats), 1, Math.Max(1, Favor.Cells));

    /// <summary>Floats of the key sums of one cell: of its splits, and merged.</summary>
    public long CellFloats => Favor.Heads * (Favor.Splits + 1) * SumsFloats;

    /// <summary>Floats of a worker's scratch while keys are summed: the norm, keys and values of a split, then a tile of features.</summary>
    public long KeyScratchFloats =>
        (FavorLayout.SplitTokens * (Aligned(Channels) + (2L * Aligned(Favor.HeadWidth)))) + new FavorLayout(Favor).TileFloats;

    /// <summary>Floats of a worker's scratch for a tile of tokens: norm, residual, one head's queries, attention or hidden units, a tile of features.</summary>
    public long TokenScratchFloats =>
        (FavorLayout.TileTokens * ((2L * Aligned(Channels)) + Aligned(Favor.HeadWidth) + Math.Max(Aligned(Inner), Aligned(Hidden)))) + new FavorLayout(Favor).TileFloats;

    /// <summary>Bytes of a worker's scratch.</summary>
    public nuint WorkerScratchBytes => FavorSizes.Bytes(Math.Max(KeyScratchFloats, TokenScratchFloats));

    /// <summary>Bytes of scratch: packed weights and the key sums of a wave.</summary>
    public nuint ScratchBytes => FavorSizes.Bytes(PackedBlock.Floats(this) + (WaveCells * CellFloats));

    private static int Aligned(int floats) => FavorSizes.Padded(floats);
}
