using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>
/// The queries' half of the backward pass, tile by tile, with recomputed features (method.md section 2): dq, and each split's share of
/// dS = sum phi_q dnum^T and dz = sum phi_q dden. A split's share is a <see cref="HeadSums"/>: Sums of w dnum^T, Normalisers of w dden,
/// Values of dnum, NormaliserTotal of dden; eps times the last two is added once, after the sums.
/// </summary>
internal static unsafe class FavorQueryGradients<TV> where TV : struct, IVector<TV>
{
    /// <summary>Floats of scratch that <see cref="Add"/> needs.</summary>
    public static int ScratchFloats(FavorLayout layout) => 2 * layout.TileFloats;

    /// <summary>Writes dq of a tile and adds the tile to its split's share.</summary>
    /// <param name="share">The split's share, cleared before its first tile.</param>
    /// <param name="dq">First query's gradient; this and the next two every <paramref name="row"/> floats a token.</param>
    /// <param name="dOut">First output's gradient.</param>
    /// <param name="q">First query.</param>
    /// <param name="row">Floats from one token to the next.</param>
    /// <param name="tokens">Tokens of the tile.</param>
    /// <param name="head">The finished sums over the keys.</param>
    /// <param name="transposedSums">S'^T in panels, [D, padded M].</param>
    /// <param name="layout">Sizes.</param>
    /// <param name="packed">The packed projection.</param>
    /// <param name="scratch"><see cref="ScratchFloats"/> floats, 64-byte aligned.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(
        HeadSums share, float* dq, float* dOut, float* q, nint row, int tokens, HeadSums head, Panels transposedSums, FavorLayout layout, float* packed, float* scratch)
    {
        unchecked
        {
            var stride = layout.PaddedFeatures;
            var width = layout.PaddedWidth;
            var features = scratch;
            var gradients = features + layout.FeatureTileFloats;
            var dNum = gradients + layout.FeatureTileFloats;
            var products = dNum + layout.ValueTileFloats;
            var best = stackalloc int[FavorLayout.TileTokens];
            var g = stackalloc float[FavorLayout.TileTokens];
            FavorQueries<TV>.Features(features, q, row, tokens, layout, packed, best);
            TileProduct.Multiply<TV>(gradients, stride, dOut, row, 1, transposedSums, tokens, accumulate: false);
            for (var t = 0; t < tokens; t++)
            {
                var w = features + (t * stride);
                var r = gradients + (t * stride);
                var denominator = FavorQueries<TV>.Denominator(w, head, layout);
                // dO . (phi_q^T S'), which is den · dO . (O - v0) without subtracting v0 from O.
                var outside = Reduce.Dot<TV>(head.SumsTotal, dOut + (t * row), layout.Width);
                var numerator = Reduce.Dot<TV>(w, r, stride) + (FavorSizes.FeatureMapEpsilon * outside);
                var inverse = 1 / denominator;
                var dDen = -(numerator * inverse) * inverse;
                g[t] = -FavorSizes.FeatureMapEpsilon * ((outside * inverse) + (head.NormaliserTotal * dDen));
                share.NormaliserTotal += dDen;
                Divide(dNum + (t * width), dOut + (t * row), denominator, layout, share.Values);
                ThroughFeatures(r, w, inverse, dDen, head.Normalisers, share.Normalisers, stride);
                r[best[t]] -= g[t];
            }
            TileProduct.Multiply<TV>(share.Sums, width, features, 1, stride, layout.ValueRows(dNum, tokens), stride, accumulate: true);
            TileProduct.Multiply<TV>(products, width, gradients, stride, 1, layout.Rows(packed), tokens, accumulate: false);
            for (var t = 0; t < tokens; t++) FavorFeatures<TV>.SubtractScaled(dq + (t * row), products + (t * width), q + (t * row), layout.SquaredScale * g[t], layout);
        }
    }

    /// <summary>dS and dz of a head from its splits' shares, in order: eps times the sums of dnum and dden is added last.</summary>
    /// <remarks>Of <paramref name="total"/>, Normalisers is dz, Sums dS, SumsTotal and NormaliserTotal their sums over the features.</remarks>
    public static void Merge(HeadSums total, float* shares, nint stride, int count, FavorLayout layout)
    {
        unchecked
        {
            new Span<float>(total.Block, layout.SumsFloats).Clear();
            var all = layout.SumsFloats - HeadSums.HeaderFloats;
            for (var i = 0; i < count; i++)
            {
                var share = new HeadSums(shares + (i * stride), layout);
                total.NormaliserTotal += share.NormaliserTotal;
                FavorFeatures<TV>.AddTo(total.Normalisers, share.Normalisers, all);
            }
            var dDen = FavorSizes.FeatureMapEpsilon * total.NormaliserTotal;
            for (var j = 0; j < layout.Features; j++)
            {
                total.Normalisers[j] += dDen;
                for (var d = 0; d < layout.Width; d++) total.Sums[(j * layout.PaddedWidth) + d] += FavorSizes.FeatureMapEpsilon * total.Values[d];
            }
            FavorKeys<TV>.Finish(total, layout);
        }
    }

    // dnum = dO / den, padded with zeros; totals += dnum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Divide(float* dNum, float* dOut, float denominator, FavorLayout layout, float* totals)
    {
        unchecked
        {
            var divisor = TV.Create(denominator);
            for (var d = 0; d < layout.PaddedWidth; d += TV.Count)
            {
                var value = TV.Load(dOut + d, layout.Width - d) / divisor;
                TV.Store(value, dNum + d);
                TV.Store(TV.Load(totals + d) + value, totals + d);
            }
        }
    }

    // G = w (S' dnum + z dden), in place of S' dO; dz += w dden.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ThroughFeatures(float* r, float* w, float inverse, float dDen, float* z, float* dz, int count)
    {
        unchecked
        {
            var scale = TV.Create(inverse);
            var change = TV.Create(dDen);
            for (var j = 0; j < count; j += TV.Count)
            {
                var weight = TV.Load(w + j);
                TV.Store(weight * TV.FusedMultiplyAdd(TV.Load(r + j), scale, TV.Load(z + j) * change), r + j);
                TV.Store(TV.FusedMultiplyAdd(weight, change, TV.Load(dz + j)), dz + j);
            }
        }
    }
}
