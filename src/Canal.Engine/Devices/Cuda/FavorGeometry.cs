using System.Globalization;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Tile sizes of the FAVOR+ kernels without tensor cores, as functions of head width and number of features alone; kernels get them as defines.</summary>
internal readonly struct FavorGeometry
{
    /// <summary>Tokens, and threads, of a block that sums over features.</summary>
    public const int TokenRows = 96;

    /// <summary>Threads of the kernels that merge splits.</summary>
    public const int MergeThreads = 128;

    /// <summary>Threads of the kernels that go over the features of a head.</summary>
    public const int TotalThreads = 256;

    private const int MergedFeatures = 8;
    private const int MostKeyRows = 128;
    private const int MostValueColumns = 64;
    private const int TileStep = 32;

    // Blocks of splits whose sums exist at a time: more than any card runs at once, bounded memory. Changes no bit.
    private const int WaveSplits = 1024;

    public FavorGeometry(int headWidth, int features)
    {
        (HeadWidth, Features) = (headWidth, features);
        KeyGroups = Quotient(features, MostKeyRows);
        KeyRows = Quotient(Quotient(features, KeyGroups), TileStep) * TileStep;
        KeyGroups = Quotient(features, KeyRows);
        ValueColumns = Quotient(Quotient(headWidth, Quotient(headWidth, MostValueColumns)), 8) * 8;
        ValueChunks = Quotient(headWidth, ValueColumns);
    }

    /// <summary>D.</summary>
    public int HeadWidth { get; }

    /// <summary>M.</summary>
    public int Features { get; }

    /// <summary>Features, and threads, of a block that sums over tokens.</summary>
    public int KeyRows { get; }

    /// <summary>Blocks among which the features are shared.</summary>
    public int KeyGroups { get; }

    /// <summary>Columns of values of a block.</summary>
    public int ValueColumns { get; }

    /// <summary>Blocks among which the columns are shared; more than one recomputes features.</summary>
    public int ValueChunks { get; }

    /// <summary>Blocks that merge the splits of one head.</summary>
    public int MergeBlocks => Quotient(Features, MergedFeatures);

    /// <summary>c = D^(-1/4).</summary>
    public float Scale => (float)Math.Pow(HeadWidth, -0.25);

    /// <summary>c^2.</summary>
    public float SquaredScale => (float)(1 / Math.Sqrt(HeadWidth));

    /// <summary>c^2 / 2.</summary>
    public float HalfSquaredScale => (float)(0.5 / Math.Sqrt(HeadWidth));

    /// <summary>Floats of the sums of one split of one head: four numbers a feature, two a column, and [M, D].</summary>
    public int PartFloats => (4 * Features) + (2 * HeadWidth) + (Features * HeadWidth);

    /// <summary>The same of the sums over queries: a number a feature, one a column, one more, and [M, D].</summary>
    public int QueryPartFloats => Features + HeadWidth + 1 + (Features * HeadWidth);

    /// <summary>Heads (of any cells) whose splits are summed before they are merged.</summary>
    public static int WaveUnits(FavorSizes sizes) => Math.Min(sizes.CellHeads, Math.Max(1, WaveSplits / Math.Max(1, sizes.Splits)));

    /// <summary>Blocks of tokens of a cell.</summary>
    public static int TokenBlocks(FavorSizes sizes) => Quotient(sizes.Tokens, TokenRows);

    /// <summary>The preprocessor defines of the kernels.</summary>
    public string[] Defines =>
    [
        Define("HEAD_WIDTH", HeadWidth), Define("FEATURES", Features), Define("KEY_ROWS", KeyRows), Define("TOKEN_ROWS", TokenRows),
        Define("VALUE_COLUMNS", ValueColumns), Define("SPLIT_TOKENS", FavorSizes.SplitTokens), Define("MERGED_FEATURES", MergedFeatures),
    ];

    private static string Define(string name, int value) => string.Create(CultureInfo.InvariantCulture, $"{name}={value}");

    private static int Quotient(int size, int part) => (size + part - 1) / part;
}
