using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>
/// The sums over keys of one head, tile by tile: A = sum u (v - gauge)^T, s = sum u, at a running reference that keeps the largest u of a
/// split at 1. Splits of <see cref="FavorLayout.SplitTokens"/> tokens are merged in their order, so the bits depend on the cell alone.
/// </summary>
/// <remarks>
/// Use: <see cref="Begin"/>, then <see cref="Add"/> for each tile of a split in order, each but the cell's last of
/// <see cref="FavorLayout.TileTokens"/> tokens; <see cref="Merge"/> over the splits of a head; once M of the cell is known (the largest
/// <see cref="HeadSums.Maximum"/>), <see cref="Scale"/> and <see cref="Finish"/>; then <see cref="FavorQueries{TV}.Apply"/>.
/// </remarks>
internal static unsafe class FavorKeys<TV> where TV : struct, IVector<TV>
{
    /// <summary>Floats of scratch that <see cref="Add"/> needs.</summary>
    public static int ScratchFloats(FavorLayout layout) => layout.TileFloats;

    /// <summary>Empties the sums of a split.</summary>
    public static void Begin(HeadSums sums, FavorLayout layout) => BeginNormalisers(sums, layout.SumsFloats);

    /// <summary>Empties the sums of a split that has only so many floats, such as normalisers alone.</summary>
    public static void BeginNormalisers(HeadSums sums, int floats)
    {
        new Span<float>(sums.Block, floats).Clear();
        sums.Reference = float.NegativeInfinity;
        sums.Maximum = float.NegativeInfinity;
    }

    /// <summary>Adds a tile of keys and values to the sums of a split.</summary>
    /// <param name="sums">The split's sums.</param>
    /// <param name="k">First key of the tile: D floats, then every <paramref name="row"/> floats the next token's.</param>
    /// <param name="v">First value; null where only the normalisers and the maximum are wanted.</param>
    /// <param name="row">Floats from one token to the next, H·D in q, k and v of a whole model.</param>
    /// <param name="firstToken">The tile's first token within the cell.</param>
    /// <param name="tokens">Tokens of the tile, at most <see cref="FavorLayout.TileTokens"/>.</param>
    /// <param name="layout">Sizes.</param>
    /// <param name="packed">The packed projection.</param>
    /// <param name="scratch"><see cref="ScratchFloats"/> floats, 64-byte aligned.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(HeadSums sums, float* k, float* v, nint row, int firstToken, int tokens, FavorLayout layout, float* packed, float* scratch)
    {
        unchecked
        {
            var stride = layout.PaddedFeatures;
            var halfNorms = stackalloc float[FavorLayout.TileTokens];
            FavorFeatures<TV>.Project(scratch, k, row, tokens, layout, packed);
            var reference = sums.Reference;
            for (var t = 0; t < tokens; t++)
            {
                var features = scratch + (t * stride);
                var largest = Reduce.Max<TV>(features, stride);
                halfNorms[t] = FavorFeatures<TV>.HalfNorm(k + (t * row), layout);
                reference = MathF.Max(reference, largest - halfNorms[t]);
                if (!(largest > sums.Maximum)) continue;
                sums.Maximum = largest;
                sums.MaximumToken = firstToken + t;
                sums.MaximumFeature = FavorFeatures<TV>.IndexOf(features, layout, largest);
            }
            if (reference > sums.Reference && sums.Tokens > 0)
            {
                var factor = Exp(sums.Reference - reference);
                FavorFeatures<TV>.Scale(sums.Normalisers, factor, stride);
                if (v != null) FavorFeatures<TV>.Scale(sums.Sums, factor, stride * layout.PaddedWidth);
            }
            sums.Reference = reference;
            for (var t = 0; t < tokens; t++) FavorFeatures<TV>.Exponentials(scratch + (t * stride), halfNorms[t] + reference, layout, sums.Normalisers);
            if (v != null)
            {
                var values = scratch + layout.FeatureTileFloats;
                if (sums.Tokens == 0) SetGauge(sums.Gauge, v, row, tokens, layout);
                CentreValues(values, v, row, sums.Gauge, tokens, layout, sums.Values);
                TileProduct.Multiply<TV>(sums.Sums, layout.PaddedWidth, scratch, 1, stride, layout.ValueRows(values, tokens), stride, accumulate: true);
            }
            sums.Tokens += tokens;
        }
    }

    /// <summary>
    /// Merges the splits of a head, in order: S' = A - s v0^T and s at their largest reference, v0 = V / n, and the place of the maximum.
    /// </summary>
    /// <param name="head">The merged head; may not be one of the splits.</param>
    /// <param name="splits">First split's block.</param>
    /// <param name="stride">Floats from one split's block to the next.</param>
    /// <param name="count">Number of splits.</param>
    /// <param name="layout">Sizes.</param>
    public static void Merge(HeadSums head, float* splits, nint stride, int count, FavorLayout layout)
    {
        unchecked
        {
            Begin(head, layout);
            for (var i = 0; i < count; i++)
            {
                var split = new HeadSums(splits + (i * stride), layout);
                head.Reference = MathF.Max(head.Reference, split.Reference);
                head.Tokens += split.Tokens;
                if (!(split.Maximum > head.Maximum)) continue;
                head.Maximum = split.Maximum;
                head.MaximumToken = split.MaximumToken;
                head.MaximumFeature = split.MaximumFeature;
            }
            // The mean as a distance from the first gauge: constant values come out exactly, a common offset costs no digits.
            var anchor = new HeadSums(splits, layout).Gauge;
            for (var d = 0; d < layout.PaddedWidth; d++)
            {
                var total = 0f;
                for (var i = 0; i < count; i++)
                {
                    var split = new HeadSums(splits + (i * stride), layout);
                    total += split.Values[d] + (split.Tokens * (split.Gauge[d] - anchor[d]));
                }
                head.Values[d] = anchor[d] + (total / head.Tokens);
            }
            for (var i = 0; i < count; i++) AddSplit(head, new HeadSums(splits + (i * stride), layout), layout);
        }
    }

    /// <summary>From the head's own reference to the key maximum M: S' and s times exp(reference - M), z = s + eps n.</summary>
    public static void Scale(HeadSums head, float maximum, FavorLayout layout)
    {
        unchecked
        {
            var factor = Exp(head.Reference - maximum);
            FavorFeatures<TV>.Scale(head.Sums, factor, layout.PaddedFeatures * layout.PaddedWidth);
            ScaleNormalisers(head, factor, layout);
            head.Reference = maximum;
        }
    }

    /// <summary>z = factor s + eps n.</summary>
    public static void ScaleNormalisers(HeadSums head, float factor, FavorLayout layout)
    {
        unchecked
        {
            var floor = FavorSizes.FeatureMapEpsilon * head.Tokens;
            for (var j = 0; j < layout.Features; j++) head.Normalisers[j] = (head.Normalisers[j] * factor) + floor;
        }
    }

    /// <summary>Sums over the features that every query needs: of S' and of z.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Finish(HeadSums head, FavorLayout layout)
    {
        unchecked
        {
            head.NormaliserTotal = Reduce.Sum<TV>(head.Normalisers, layout.PaddedFeatures);
            for (var d = 0; d < layout.PaddedWidth; d += TV.Count)
            {
                var total = TV.Zero;
                for (var j = 0; j < layout.Features; j++) total += TV.Load(head.Sums + (j * layout.PaddedWidth) + d);
                TV.Store(total, head.SumsTotal + d);
            }
        }
    }

    /// <summary>e^x of one number, with the bits that the vectors give.</summary>
    public static float Exp(float x)
    {
        var lanes = stackalloc float[16];
        TV.Store(VectorMath.Exp(TV.Create(x)), lanes);
        return lanes[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddSplit(HeadSums head, HeadSums split, FavorLayout layout)
    {
        unchecked
        {
            var factor = Exp(split.Reference - head.Reference);
            var factors = TV.Create(factor);
            for (var j = 0; j < layout.Features; j++)
            {
                var s = factor * split.Normalisers[j];
                head.Normalisers[j] += s;
                var weight = TV.Create(s);
                var to = head.Sums + (j * layout.PaddedWidth);
                var from = split.Sums + (j * layout.PaddedWidth);
                for (var d = 0; d < layout.PaddedWidth; d += TV.Count)
                {
                    var sum = TV.FusedMultiplyAdd(factors, TV.Load(from + d), TV.Load(to + d));
                    TV.Store(TV.FusedNegatedMultiplyAdd(weight, TV.Load(head.Values + d) - TV.Load(split.Gauge + d), sum), to + d);
                }
            }
        }
    }

    // About the mean of the first tile, and exactly the value where all are equal. Any gauge gives the same S'; this one keeps A small.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SetGauge(float* gauge, float* v, nint row, int tokens, FavorLayout layout)
    {
        unchecked
        {
            for (var d = 0; d < layout.Width; d += TV.Count)
            {
                var lanes = layout.Width - d;
                var (first, total) = (TV.Load(v + d, lanes), TV.Zero);
                for (var t = 0; t < tokens; t++) total += TV.Load(v + (t * row) + d, lanes) - first;
                TV.Store(first + (total / TV.Create(tokens)), gauge + d, lanes);
            }
        }
    }

    /// <summary>values[t] = v_t - centre, padded with zeros; totals += values where given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CentreValues(float* values, float* v, nint row, float* centre, int tokens, FavorLayout layout, float* totals)
    {
        unchecked
        {
            for (var t = 0; t < tokens; t++)
            {
                var to = values + (t * layout.PaddedWidth);
                var from = v + (t * row);
                for (var d = 0; d < layout.PaddedWidth; d += TV.Count)
                {
                    var value = TV.Load(from + d, layout.Width - d) - TV.Load(centre + d);
                    TV.Store(value, to + d);
                    if (totals != null) TV.Store(TV.Load(totals + d) + value, totals + d);
                }
            }
        }
    }
}
