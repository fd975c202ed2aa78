using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>What every parallel body of one call of a FAVOR+ operation shares: sizes, addresses, and how cells, heads and tiles are found.</summary>
internal readonly unsafe struct FavorCall
{
    private readonly WorkerPool workers;
    private readonly float* sums, normalisers, meanValues, maxima;

    public FavorCall(FavorSizes sizes, Tensor q, Tensor k, Tensor v, FavorState state, nint operationScratch, WorkerPool workers)
    {
        (Sizes, Layout, this.workers) = (sizes, new FavorLayout(sizes), workers);
        Q = (float*)q.Address;
        K = (float*)k.Address;
        V = v.IsNone ? null : (float*)v.Address;
        Packed = (float*)operationScratch;
        if (state.Sums.IsNone) return;
        sums = (float*)state.Sums.Address;
        normalisers = (float*)state.Normalisers.Address;
        meanValues = (float*)state.MeanValues.Address;
        maxima = (float*)state.KeyMaximum.Address;
    }

    /// <summary>The operation's sizes.</summary>
    public FavorSizes Sizes { get; }

    /// <summary>Sizes of one head.</summary>
    public FavorLayout Layout { get; }

    /// <summary>[B·T, H·D].</summary>
    public float* Q { get; }

    /// <summary>[B·T, H·D].</summary>
    public float* K { get; }

    /// <summary>[B·T, H·D]; null where the operation has no values.</summary>
    public float* V { get; }

    /// <summary>The packed projection: the first part of the operation's scratch.</summary>
    public float* Packed { get; }

    /// <summary>Floats from one token to the next.</summary>
    public nint Row => Sizes.Heads * Sizes.HeadWidth;

    /// <summary>Floats from the start of q, k, v to a token of a head; heads are counted through all cells.</summary>
    public nint Offset(int cellHead, int token)
    {
        unchecked
        {
            return ((((nint)(cellHead / Sizes.Heads) * Sizes.Tokens) + token) * Row) + (cellHead % Sizes.Heads * Sizes.HeadWidth);
        }
    }

    /// <summary>The key maximum M that a head uses.</summary>
    public float Maximum(int cellHead) => maxima[Sizes.Scope == KeyMaximumScope.Cell ? cellHead / Sizes.Heads : 0];

    /// <summary>A worker's scratch.</summary>
    public float* Scratch(int worker, long floats) => (float*)workers.Scratch(worker, FavorSizes.Bytes(floats));

    /// <summary>The tiles of a split.</summary>
    public FavorTiles Tiles(int split)
    {
        var first = split * FavorLayout.SplitTokens;
        return new FavorTiles(first, Math.Min(first + FavorLayout.SplitTokens, Sizes.Tokens));
    }

    /// <summary>Copies a head's sums, normalisers and mean values to the operation's state, without padding.</summary>
    public void StoreState(HeadSums head, int cellHead)
    {
        for (var j = 0; j < Layout.Features; j++)
        {
            new Span<float>(head.Sums + (j * Layout.PaddedWidth), Layout.Width).CopyTo(
                new Span<float>(sums + ((((nint)cellHead * Layout.Features) + j) * Layout.Width), Layout.Width));
        }
        new Span<float>(head.Normalisers, Layout.Features).CopyTo(new Span<float>(normalisers + ((nint)cellHead * Layout.Features), Layout.Features));
        new Span<float>(head.Values, Layout.Width).CopyTo(new Span<float>(meanValues + ((nint)cellHead * Layout.Width), Layout.Width));
    }

    /// <summary>Copies a head's sums, normalisers and mean values from the operation's state; padding becomes zero.</summary>
    public void LoadState(HeadSums head, int cellHead)
    {
        if (Layout.Width == Layout.PaddedWidth) new Span<float>(head.Block, FavorSizes.NormaliserFloats(Layout.Features, Layout.Width)).Clear();
        else new Span<float>(head.Block, Layout.SumsFloats).Clear();
        head.Tokens = Sizes.Tokens;
        for (var j = 0; j < Layout.Features; j++)
        {
            new Span<float>(sums + ((((nint)cellHead * Layout.Features) + j) * Layout.Width), Layout.Width).CopyTo(
                new Span<float>(head.Sums + (j * Layout.PaddedWidth), Layout.Width));
        }
        var padding = (Layout.PaddedFeatures - Layout.Features) * Layout.PaddedWidth;
        new Span<float>(head.Sums + (Layout.Features * Layout.PaddedWidth), padding).Clear();
        new Span<float>(normalisers + ((nint)cellHead * Layout.Features), Layout.Features).CopyTo(new Span<float>(head.Normalisers, Layout.Features));
        new Span<float>(meanValues + ((nint)cellHead * Layout.Width), Layout.Width).CopyTo(new Span<float>(head.Values, Layout.Width));
    }
}

/// <summary>Tokens [First, First + Count) of a cell.</summary>
internal readonly record struct FavorTile(int First, int Count);

/// <summary>The tiles of a run of tokens, each but the last of <see cref="FavorLayout.TileTokens"/> tokens; allocates nothing.</summary>
internal struct FavorTiles(int first, int end)
{
    private int next = first;

    /// <summary>The tile reached.</summary>
    public FavorTile Current { get; private set; }

    /// <summary>For foreach.</summary>
    public readonly FavorTiles GetEnumerator() => this;

    /// <summary>Goes to the next tile.</summary>
    public bool MoveNext()
    {
        if (next >= end) return false;
        Current = new FavorTile(next, Math.Min(FavorLayout.TileTokens, end - next));
        next += Current.Count;
        return true;
    }
}
