using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Favor;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu.Encoder;

/// <summary>What one worker does with one piece of an encoder block. Immutable; shared by all workers.</summary>
internal readonly unsafe struct EncoderPass<TV> where TV : struct, IVector<TV>
{
    private const int TileTokens = FavorLayout.TileTokens;
    private readonly PackedBlock packed;
    private readonly FavorLayout layout;
    private readonly WorkerPool workers;
    private readonly float* x, y, gamma1, beta1, gamma2, beta2, outputBias, b1, b2, splits, heads;
    private readonly float epsilon;
    private readonly int channels, inner, hidden;
    private readonly long cellSplitFloats;
    private readonly EncoderBlockSizes sizes;

    public EncoderPass(in EncoderBlockForward operation, EncoderBlockSizes sizes, PackedBlock packed, FavorLayout layout, WorkerPool workers, float* sums)
    {
        (this.packed, this.layout, this.workers, this.sizes) = (packed, layout, workers, sizes);
        (channels, inner, hidden, epsilon) = (sizes.Channels, sizes.Inner, sizes.Hidden, operation.NormEpsilon);
        Favor = sizes.Favor;
        x = (float*)operation.X.Address;
        y = (float*)operation.Y.Address;
        gamma1 = (float*)operation.Weights.AttentionNormGamma.Address;
        beta1 = (float*)operation.Weights.AttentionNormBeta.Address;
        gamma2 = (float*)operation.Weights.FeedForwardNormGamma.Address;
        beta2 = (float*)operation.Weights.FeedForwardNormBeta.Address;
        outputBias = (float*)operation.Weights.OutputBias.Address;
        b1 = (float*)operation.Weights.B1.Address;
        b2 = (float*)operation.Weights.B2.Address;
        splits = sums;
        cellSplitFloats = Favor.Heads * Favor.Splits * sizes.SumsFloats;
        heads = sums + (sizes.WaveCells * cellSplitFloats);
    }

    /// <summary>The attention's sizes.</summary>
    public FavorSizes Favor { get; }

    /// <summary>Norm, keys and values of a split, then the key sums of heads <paramref name="firstHead"/> to before <paramref name="lastHead"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void SumKeys(int cell, int waveCell, int split, int firstHead, int lastHead, int worker)
    {
        unchecked
        {
            var width = Favor.HeadWidth;
            var firstToken = split * FavorLayout.SplitTokens;
            var tokens = Math.Min(FavorLayout.SplitTokens, Favor.Tokens - firstToken);
            var norm = (float*)workers.Scratch(worker, FavorSizes.Bytes(sizes.KeyScratchFloats));
            var k = norm + (FavorLayout.SplitTokens * Aligned(channels));
            var v = k + (FavorLayout.SplitTokens * Aligned(width));
            var scratch = v + (FavorLayout.SplitTokens * Aligned(width));
            Norm(norm, x + ((((nint)cell * Favor.Tokens) + firstToken) * channels), gamma1, beta1, tokens);
            for (var head = firstHead; head < lastHead; head++)
            {
                TileProduct.Multiply<TV>(k, width, norm, channels, 1, packed.Key(head), tokens, accumulate: false);
                TileProduct.Multiply<TV>(v, width, norm, channels, 1, packed.Value(head), tokens, accumulate: false);
                var sums = new HeadSums(Splits(waveCell, head) + (split * (long)layout.SumsFloats), layout);
                FavorKeys<TV>.Begin(sums, layout);
                for (var t = 0; t < tokens; t += TileTokens)
                {
                    var rows = Math.Min(TileTokens, tokens - t);
                    FavorKeys<TV>.Add(sums, k + (t * width), v + (t * width), width, firstToken + t, rows, layout, packed.Projection, scratch);
                }
            }
        }
    }

    /// <summary>Merges the splits of a head; heads are counted through the cells of the wave.</summary>
    public void Merge(int waveHead) =>
        FavorKeys<TV>.Merge(Head(waveHead), Splits(waveHead / Favor.Heads, waveHead % Favor.Heads), layout.SumsFloats, Favor.Splits, layout);

    /// <summary>The key maximum of a cell: the largest of its merged heads.</summary>
    public float KeyMaximum(int waveCell)
    {
        var maximum = float.NegativeInfinity;
        for (var head = waveCell * Favor.Heads; head < (waveCell + 1) * Favor.Heads; head++)
        {
            var found = Head(head).Maximum;
            if (found > maximum) maximum = found;
        }
        return maximum;
    }

    /// <summary>Brings a merged head to the key maximum of its cell.</summary>
    public void Scale(int waveHead)
    {
        FavorKeys<TV>.Scale(Head(waveHead), KeyMaximum(waveHead / Favor.Heads), layout);
        FavorKeys<TV>.Finish(Head(waveHead), layout);
    }

    /// <summary>Everything that a tile of tokens still needs once the cell's keys are summed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void ApplyTile(int cell, int waveCell, int firstToken, int worker)
    {
        unchecked
        {
            var width = Favor.HeadWidth;
            var tokens = Math.Min(TileTokens, Favor.Tokens - firstToken);
            var from = (((nint)cell * Favor.Tokens) + firstToken) * channels;
            var norm = (float*)workers.Scratch(worker, FavorSizes.Bytes(sizes.TokenScratchFloats));
            var residual = norm + (TileTokens * Aligned(channels));
            var q = residual + (TileTokens * Aligned(channels));
            var wide = q + (TileTokens * Aligned(width));
            var scratch = wide + (TileTokens * Math.Max(Aligned(inner), Aligned(hidden)));

            Norm(norm, x + from, gamma1, beta1, tokens);
            for (var head = 0; head < Favor.Heads; head++)
            {
                TileProduct.Multiply<TV>(q, width, norm, channels, 1, packed.Query(head), tokens, accumulate: false);
                FavorQueries<TV>.Apply(wide + (head * width), inner, q, width, tokens, Head((waveCell * Favor.Heads) + head), layout, packed.Projection, scratch);
            }
            AddBias(residual, outputBias, x + from, tokens);
            TileProduct.Multiply<TV>(residual, channels, wide, inner, 1, packed.Output, tokens, accumulate: true);

            Norm(norm, residual, gamma2, beta2, tokens);
            for (var t = 0; t < tokens; t++) new ReadOnlySpan<float>(b1, hidden).CopyTo(new Span<float>(wide + (t * hidden), hidden));
            TileProduct.Multiply<TV>(wide, hidden, norm, channels, 1, packed.W1, tokens, accumulate: true);
            VectorMath.Gelu<TV>(wide, wide, tokens * hidden);
            AddBias(y + from, b2, residual, tokens);
            TileProduct.Multiply<TV>(y + from, channels, wide, hidden, 1, packed.W2, tokens, accumulate: true);
        }
    }

    private static int Aligned(int floats) => FavorSizes.Padded(floats);

    private float* Splits(int waveCell, int head) => splits + (waveCell * cellSplitFloats) + (head * (long)Favor.Splits * layout.SumsFloats);

    private HeadSums Head(int waveHead) => new(heads + (waveHead * (long)layout.SumsFloats), layout);

    private void Norm(float* to, float* from, float* gamma, float* beta, int tokens)
    {
        unchecked
        {
            for (var t = 0; t < tokens; t++) LayerNormKernels.Row<TV>(to + (t * channels), from + (t * channels), gamma, beta, channels, epsilon, out _, out _);
        }
    }

    private void AddBias(float* to, float* bias, float* residual, int tokens)
    {
        unchecked
        {
            for (var t = 0; t < tokens; t++, to += channels, residual += channels)
            {
                for (var c = 0; c < channels; c += TV.Count) TV.Store(TV.Load(bias + c, channels - c) + TV.Load(residual + c, channels - c), to + c, channels - c);
            }
        }
    }
}
