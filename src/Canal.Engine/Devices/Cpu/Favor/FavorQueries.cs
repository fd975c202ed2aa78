using System.Runtime.CompilerServices;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Devices.Cpu.Simd;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>The queries of one head, tile by tile: out = v0 + phi_q^T S' / (phi_q . z), with eps outside every sum.</summary>
internal static unsafe class FavorQueries<TV> where TV : struct, IVector<TV>
{
    /// <summary>Floats of scratch that <see cref="Apply"/> needs.</summary>
    public static int ScratchFloats(FavorLayout layout) => layout.TileFloats;

    /// <summary>Computes the outputs of a tile of queries. A query's output does not depend on the tile it is in.</summary>
    /// <param name="output">First output: D floats, then every <paramref name="outputRow"/> floats the next token's.</param>
    /// <param name="outputRow">Floats from one output to the next.</param>
    /// <param name="q">First query.</param>
    /// <param name="qRow">Floats from one query to the next.</param>
    /// <param name="tokens">Tokens of the tile, at most <see cref="FavorLayout.TileTokens"/>.</param>
    /// <param name="head">The finished sums over the cell's keys.</param>
    /// <param name="layout">Sizes.</param>
    /// <param name="packed">The packed projection.</param>
    /// <param name="scratch"><see cref="ScratchFloats"/> floats, 64-byte aligned.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply(
        float* output, nint outputRow, float* q, nint qRow, int tokens, HeadSums head, FavorLayout layout, float* packed, float* scratch)
    {
        unchecked
        {
            var stride = layout.PaddedFeatures;
            var numerators = scratch + layout.FeatureTileFloats;
            Features(scratch, q, qRow, tokens, layout, packed, null);
            TileProduct.Multiply<TV>(numerators, layout.PaddedWidth, scratch, stride, 1, layout.ValueRows(head.Sums, stride), tokens, accumulate: false);
            var epsilon = TV.Create(FavorSizes.FeatureMapEpsilon);
            for (var t = 0; t < tokens; t++)
            {
                var denominator = TV.Create(Denominator(scratch + (t * stride), head, layout));
                var to = output + (t * outputRow);
                var from = numerators + (t * layout.PaddedWidth);
                for (var d = 0; d < layout.Width; d += TV.Count)
                {
                    var centred = TV.FusedMultiplyAdd(epsilon, TV.Load(head.SumsTotal + d), TV.Load(from + d)) / denominator;
                    TV.Store(TV.Load(head.Values + d) + centred, to + d, layout.Width - d);
                }
            }
        }
    }

    /// <summary>tile[t] = w_t = exp(c P q - c^2 |q|^2 / 2 - the row's maximum); <paramref name="maximumAt"/>, where given, gets the row's arg-max feature.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Features(float* tile, float* q, nint qRow, int tokens, FavorLayout layout, float* packed, int* maximumAt)
    {
        unchecked
        {
            FavorFeatures<TV>.Project(tile, q, qRow, tokens, layout, packed);
            for (var t = 0; t < tokens; t++)
            {
                var row = tile + (t * layout.PaddedFeatures);
                var largest = Reduce.Max<TV>(row, layout.PaddedFeatures);
                if (maximumAt != null) maximumAt[t] = FavorFeatures<TV>.IndexOf(row, layout, largest);
                FavorFeatures<TV>.Exponentials(row, FavorFeatures<TV>.HalfNorm(q + (t * qRow), layout) + largest, layout);
            }
        }
    }

    /// <summary>phi_q . z = w . z + eps sum z.</summary>
    public static float Denominator(float* row, HeadSums head, FavorLayout layout) =>
        Reduce.Dot<TV>(row, head.Normalisers, layout.PaddedFeatures) + (FavorSizes.FeatureMapEpsilon * head.NormaliserTotal);
}
