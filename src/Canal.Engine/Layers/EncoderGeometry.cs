using Canal.Engine.Operations;

namespace Canal.Engine.Layers;

/// <summary>Sizes of a Performer encoder (method.md section 2). scBERT: width 200, 6 blocks, 10 heads of 64, 266 features.</summary>
public sealed record EncoderGeometry
{
    /// <summary>T: genes of the panel plus the trailing token.</summary>
    public required int Positions { get; init; }

    /// <summary>C: model width.</summary>
    public required int Width { get; init; }

    /// <summary>Number of encoder blocks.</summary>
    public required int Blocks { get; init; }

    /// <summary>H: attention heads.</summary>
    public required int Heads { get; init; }

    /// <summary>D: width of a head; H·D need not be C.</summary>
    public required int HeadWidth { get; init; }

    /// <summary>M: random features; the reference takes floor(D ln D).</summary>
    public required int Features { get; init; }

    /// <summary>F: width of the feed-forward layer, 4·C in the reference.</summary>
    public int FeedForwardWidth => 4 * Width;

    /// <summary>Rows of the bin embedding: expression bins 0..5 and the mask.</summary>
    public int Tokens { get; init; } = 7;

    /// <summary>H·D.</summary>
    public int InnerWidth => Heads * HeadWidth;

    /// <summary>The reference's number of random features for a head width: floor(D ln D).</summary>
    public static int DefaultFeatures(int headWidth) => Math.Max(1, (int)(headWidth * Math.Log(headWidth)));

    /// <summary>This geometry, if every size is positive and addressable.</summary>
    /// <exception cref="ArgumentException">Says which size is not.</exception>
    public EncoderGeometry Validated()
    {
        Require(nameof(Positions), Positions, 2, ushort.MaxValue + 1);
        Require(nameof(Width), Width, 1, 1 << 14);
        Require(nameof(Blocks), Blocks, 1, 1 << 10);
        Require(nameof(Heads), Heads, 1, 1 << 10);
        Require(nameof(HeadWidth), HeadWidth, 1, 1 << 10);
        Require(nameof(Features), Features, 1, 1 << 14);
        Require(nameof(Tokens), Tokens, 2, byte.MaxValue + 1);
        return this;
    }

    /// <summary>Sizes of the attention over a batch.</summary>
    public FavorSizes Attention(EncoderPass pass) => new(pass.Cells, Positions, Heads, HeadWidth, Features, pass.Scope);

    private static void Require(string name, int value, int least, int most)
    {
        if (value < least || value > most)
        {
            throw new ArgumentException($"The model's {name} is {value}; it must be from {least} to {most}.");
        }
    }
}

/// <summary>What a forward pass takes besides its input.</summary>
/// <param name="Cells">B: cells in the batch, each of as many rows as the geometry has positions.</param>
/// <param name="Scope">Over what the keys' maximum is taken: the cell, unless a fixture of the reference's training step is repeated.</param>
/// <param name="Recompute">Whether blocks that train keep only their input and repeat their forward pass in the backward pass.</param>
public readonly record struct EncoderPass(int Cells, KeyMaximumScope Scope = KeyMaximumScope.Cell, bool Recompute = false);
