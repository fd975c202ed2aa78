using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cpu.Favor;

/// <summary>
/// Sizes of one head of FAVOR+ and how its blocks lie in memory. Rows of features and of values are padded to 16 floats, so that every
/// vector width works on whole registers; padding holds zeros.
/// </summary>
internal readonly unsafe struct FavorLayout
{
    /// <summary>Tokens whose features exist at a time: 64 x 272 floats, in the second-level cache.</summary>
    public const int TileTokens = 64;

    /// <summary>Tokens of a split, summed by one worker; a whole number of tiles, and a function of nothing else.</summary>
    public const int SplitTokens = FavorSizes.SplitTokens;

    public FavorLayout(FavorSizes sizes)
    {
        Width = sizes.HeadWidth;
        Features = sizes.Features;
        PaddedWidth = FavorSizes.Padded(Width);
        PaddedFeatures = FavorSizes.Padded(Features);
        Scale = (float)Math.Pow(Width, -0.25);
        HalfSquaredScale = (float)(0.5 / Math.Sqrt(Width));
        SquaredScale = (float)(1 / Math.Sqrt(Width));
    }

    /// <summary>D.</summary>
    public int Width { get; }

    /// <summary>D, padded.</summary>
    public int PaddedWidth { get; }

    /// <summary>M.</summary>
    public int Features { get; }

    /// <summary>M, padded.</summary>
    public int PaddedFeatures { get; }

    /// <summary>c = D^(-1/4).</summary>
    public float Scale { get; }

    /// <summary>c^2.</summary>
    public float SquaredScale { get; }

    /// <summary>c^2 / 2.</summary>
    public float HalfSquaredScale { get; }

    /// <summary>Floats of the packed projection: c P^T as panels of [D, padded M], then c P as [padded M, padded D].</summary>
    public int PackedFloats => (Width * PaddedFeatures) + (PaddedFeatures * PaddedWidth);

    /// <summary>Floats of a <see cref="HeadSums"/>.</summary>
    public int SumsFloats => FavorSizes.SumsFloats(Features, Width);

    /// <summary>Floats of a tile of features.</summary>
    public int FeatureTileFloats => TileTokens * PaddedFeatures;

    /// <summary>Floats of a tile of values.</summary>
    public int ValueTileFloats => TileTokens * PaddedWidth;

    /// <summary>Floats of a worker's scratch for a tile of features and one of values.</summary>
    public int TileFloats => FeatureTileFloats + ValueTileFloats;

    /// <summary>Floats of a worker's scratch in the forward pass: a head's sums, then a tile.</summary>
    public int ForwardScratchFloats => SumsFloats + TileFloats;

    /// <summary>c P^T, [D, padded M], within the packed projection.</summary>
    public Panels Transposed(float* packed) => Panels.At(packed, Width, PaddedFeatures);

    /// <summary>c P, [padded M, padded D], within the packed projection.</summary>
    public Panels Rows(float* packed) => ValueRows(packed + (Width * PaddedFeatures), PaddedFeatures);

    /// <summary>Rows of padded D floats, such as S' or a tile of values, as the right operand of a product.</summary>
    public Panels ValueRows(float* rows, int count) => Panels.OfRows(rows, count, PaddedWidth, PaddedWidth);

    /// <summary>Packs c P into <see cref="PackedFloats"/> floats: once an operation, or once a model.</summary>
    public void Pack(float* packed, float* projection)
    {
        unchecked
        {
            var rows = packed + (Width * PaddedFeatures);
            new Span<float>(rows, PaddedFeatures * PaddedWidth).Clear();
            for (var j = 0; j < Features; j++)
            {
                for (var d = 0; d < Width; d++) rows[(j * PaddedWidth) + d] = Scale * projection[(j * Width) + d];
            }
            Panels.Pack(packed, rows, Width, PaddedFeatures, PaddedWidth, transposed: true);
        }
    }
}

/// <summary>
/// A view of the sums over keys of one head: of a split while it is built, of the whole cell once merged.
/// Memory: 16 numbers, then [padded M], [padded D], [padded D], [padded M, padded D].
/// </summary>
internal readonly unsafe struct HeadSums(float* block, FavorLayout layout)
{
    /// <summary>Numbers in front of the arrays.</summary>
    public const int HeaderFloats = 16;

    /// <summary>Address of the block.</summary>
    public float* Block => block;

    /// <summary>The exponent by which all sums are scaled: they hold exp(c P k - c^2 |k|^2 / 2 - Reference).</summary>
    public ref float Reference => ref block[0];

    /// <summary>Largest c P k.</summary>
    public ref float Maximum => ref block[1];

    /// <summary>Token of <see cref="Maximum"/> within the cell.</summary>
    public ref int MaximumToken => ref ((int*)block)[2];

    /// <summary>Feature of <see cref="Maximum"/>.</summary>
    public ref int MaximumFeature => ref ((int*)block)[3];

    /// <summary>Number of keys summed.</summary>
    public ref int Tokens => ref ((int*)block)[4];

    /// <summary>Sum of all normalisers; of a finished head.</summary>
    public ref float NormaliserTotal => ref block[5];

    /// <summary>[M]: s = sum u; z = s + eps n in a finished head.</summary>
    public float* Normalisers => block + HeaderFloats;

    /// <summary>[D]: sum of v - Gauge over a split; v0, the mean value, in a merged head.</summary>
    public float* Values => Normalisers + layout.PaddedFeatures;

    /// <summary>[D]: what a split subtracts from its values; the sum over features of S' in a finished head.</summary>
    public float* Gauge => Values + layout.PaddedWidth;

    /// <summary>[D]: the sum over features of S' in a finished head: takes the place of <see cref="Gauge"/>.</summary>
    public float* SumsTotal => Gauge;

    /// <summary>[M, D]: sum u (v - Gauge)^T over a split; S', centred on v0, in a merged head.</summary>
    public float* Sums => Gauge + layout.PaddedWidth;
}
