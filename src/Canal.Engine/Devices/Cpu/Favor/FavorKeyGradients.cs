using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>
/// The keys' half of the backward pass, tile by tile, with recomputed features (method.md section 2): G = u (dS (v - v0) + dz),
/// dk = c P^T G - c^2 k sum G, dv = dS^T phi_k. The one element where the key maximum was found is corrected afterwards.
/// </summary>
internal static unsafe class FavorKeyGradients<TV> where TV : struct, IVector<TV>
{
    /// <summary>Floats of scratch that <see cref="Write"/> needs.</summary>
    public static int ScratchFloats(FavorLayout layout) => 2 * layout.TileFloats;

    /// <summary>Writes dk and dv of a tile.</summary>
    /// <param name="dk">First key's gradient; this and the next three every <paramref name="row"/> floats a token.</param>
    /// <param name="dv">First value's gradient.</param>
    /// <param name="k">First key.</param>
    /// <param name="v">First value.</param>
    /// <param name="row">Floats from one token to the next.</param>
    /// <param name="tokens">Tokens of the tile.</param>
    /// <param name="maximum">M.</param>
    /// <param name="meanValue">v0, [padded D].</param>
    /// <param name="dSums">dS, dz and their totals, as <see cref="FavorQueryGradients{TV}.Merge"/> leaves them.</param>
    /// <param name="transposedDSums">dS^T in panels, [D, padded M].</param>
    /// <param name="layout">Sizes.</param>
    /// <param name="packed">The packed projection.</param>
    /// <param name="scratch"><see cref="ScratchFloats"/> floats, 64-byte aligned.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write(
        float* dk, float* dv, float* k, float* v, nint row, int tokens, float maximum, float* meanValue,
        HeadSums dSums, Panels transposedDSums, FavorLayout layout, float* packed, float* scratch)
    {
        unchecked
        {
            var stride = layout.PaddedFeatures;
            var width = layout.PaddedWidth;
            var features = scratch;
            var gradients = features + layout.FeatureTileFloats;
            var values = gradients + layout.FeatureTileFloats;
            var products = values + layout.ValueTileFloats;
            var sums = stackalloc float[FavorLayout.TileTokens];
            FavorFeatures<TV>.Project(features, k, row, tokens, layout, packed);
            FavorKeys<TV>.CentreValues(values, v, row, meanValue, tokens, layout, null);
            TileProduct.Multiply<TV>(gradients, stride, values, width, 1, transposedDSums, tokens, accumulate: false);
            for (var t = 0; t < tokens; t++)
            {
                var u = features + (t * stride);
                FavorFeatures<TV>.Exponentials(u, FavorFeatures<TV>.HalfNorm(k + (t * row), layout) + maximum, layout);
                ThroughFeatures(gradients + (t * stride), u, dSums.Normalisers, stride);
                sums[t] = Reduce.Sum<TV>(gradients + (t * stride), stride);
            }
            TileProduct.Multiply<TV>(products, width, gradients, stride, 1, layout.Rows(packed), tokens, accumulate: false);
            for (var t = 0; t < tokens; t++) FavorFeatures<TV>.SubtractScaled(dk + (t * row), products + (t * width), k + (t * row), layout.SquaredScale * sums[t], layout);
            TileProduct.Multiply<TV>(products, width, features, stride, 1, layout.ValueRows(dSums.Sums, stride), tokens, accumulate: false);
            var epsilon = TV.Create(FavorSizes.FeatureMapEpsilon);
            for (var t = 0; t < tokens; t++)
            {
                for (var d = 0; d < layout.Width; d += TV.Count)
                {
                    var value = TV.FusedMultiplyAdd(epsilon, TV.Load(dSums.SumsTotal + d), TV.Load(products + (t * width) + d));
                    TV.Store(value, dv + (t * row) + d, layout.Width - d);
                }
            }
        }
    }

    // G = u (dS (v - v0) + dz), in place of the first term.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ThroughFeatures(float* r, float* u, float* dz, int count)
    {
        unchecked
        {
            for (var j = 0; j < count; j += TV.Count) TV.Store(TV.Load(u + j) * (TV.Load(r + j) + TV.Load(dz + j)), r + j);
        }
    }
}
