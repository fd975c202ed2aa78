using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Where the scratch of FAVOR+ on tensor cores lies, in bytes from its start: a function of the sizes alone.</summary>
/// <remarks>Unit: a head of a cell. Sizes of the parts are those of kernels/favor_tensor*.cu.</remarks>
internal readonly struct FavorTensorScratch
{
    /// <summary>Tokens of a split: sums over tokens run within splits, and the splits are merged in their order.</summary>
    public const int SplitTokens = 512;

    private const int Half = 2, Alignment = 256;

    private FavorTensorScratch(FavorSizes s, bool backward)
    {
        var rows = (long)FeatureRows(s.Features);
        var (units, width) = ((long)s.Cells * s.Heads, (long)s.HeadWidth);
        var parts = units * Splits(s);
        var groups = Groups(s.Features);
        var end = 0L;
        Projection = Take(rows * width * Half);
        Sums = Take(parts * rows * width * sizeof(float));
        Extra = Take(parts * rows * 2 * sizeof(float));
        Reference = Take(parts * rows * sizeof(float));
        Halves = Take(units * rows * (width + 8) * Half);
        PaddedNormalisers = Take(units * rows * sizeof(float));
        Totals = Take(units * width * sizeof(float));
        Scalars = Take(units * 3 * sizeof(float));
        (Maximum, MaximumAt) = backward ? (0, 0) : (Take(parts * groups * sizeof(float)), Take(parts * groups * sizeof(int)));
        (Exponent, Own, Deviation, DSums, DNormalisers) = !backward ? (0, 0, 0, 0, 0) : (
            Take(units * s.Tokens * sizeof(float)), Take(units * s.Tokens * sizeof(float)), Take(units * s.Tokens * sizeof(float)),
            Take(units * s.Features * width * sizeof(float)), Take(units * s.Features * sizeof(float)));
        Bytes = (nuint)end;

        nint Take(long bytes)
        {
            var first = end;
            end = checked(first + ((bytes + Alignment - 1) / Alignment * Alignment));
            return (nint)first;
        }
    }

    /// <summary>Scratch of the forward pass.</summary>
    public static FavorTensorScratch Forward(FavorSizes sizes) => new(sizes, backward: false);

    /// <summary>Scratch of the backward pass.</summary>
    public static FavorTensorScratch Backward(FavorSizes sizes) => new(sizes, backward: true);

    /// <summary>Features and one row more, in whole tiles of 16.</summary>
    public static int FeatureRows(int features) => (features + 16) / 16 * 16;

    /// <summary>Blocks that share the feature tiles of a split: 16 tiles each, and one left over joins the last.</summary>
    public static int Groups(int features)
    {
        var tiles = FeatureRows(features) / 16;
        return tiles > 1 && tiles % 16 == 1 ? tiles / 16 : (tiles + 15) / 16;
    }

    /// <summary>Splits of a cell.</summary>
    public static int Splits(FavorSizes sizes) => (sizes.Tokens + SplitTokens - 1) / SplitTokens;

    /// <summary>All bytes.</summary>
    public nuint Bytes { get; }

    /// <summary>P' in halves.</summary>
    public nint Projection { get; }

    /// <summary>Each split's sums.</summary>
    public nint Sums { get; }

    /// <summary>Each split's sums of weights, or of weighted deviations.</summary>
    public nint Extra { get; }

    /// <summary>The exponents at which each split's sums are kept.</summary>
    public nint Reference { get; }

    /// <summary>S', later dS, in halves.</summary>
    public nint Halves { get; }

    /// <summary>z, later dz, of padded length.</summary>
    public nint PaddedNormalisers { get; }

    /// <summary>Sums over the features.</summary>
    public nint Totals { get; }

    /// <summary>Sum of z and the scales of the halves.</summary>
    public nint Scalars { get; }

    /// <summary>Each split's largest c P k; forward.</summary>
    public nint Maximum { get; }

    /// <summary>Where it was found; forward.</summary>
    public nint MaximumAt { get; }

    /// <summary>Of each query what its weights in dS are divided by, as a power of two; backward.</summary>
    public nint Exponent { get; }

    /// <summary>Base-2 logarithm of each query's denominator; backward.</summary>
    public nint Own { get; }

    /// <summary>dO . (out - v0) of each query; backward.</summary>
    public nint Deviation { get; }

    /// <summary>dS; backward.</summary>
    public nint DSums { get; }

    /// <summary>dz; backward.</summary>
    public nint DNormalisers { get; }
}
