using Canal.Engine.Tensors;
using Canal.Engine.Tests.Conformance.Cases;

namespace Canal.Engine.Tests.Conformance;

/// <summary>All cases: one line a file of cases.</summary>
public static class OperationCases
{
    /// <summary>Rows and columns: edges of registers and of chunks, primes, more rows and more elements than any chunk holds.</summary>
    public static readonly (int Rows, int Columns)[] Shapes = [(1, 1), (1, 31), (2, 33), (31, 16), (33, 200), (257, 17), (521, 33), (2, 1031)];

    /// <summary>Shapes of the cases in half precision, which differ from those of float32 in loads and stores alone.</summary>
    public static readonly (int Rows, int Columns)[] HalfShapes = [(1, 1), (2, 33), (33, 200), (257, 17), (2, 1031)];

    /// <summary>What sums over rows can get wrong besides: as many chunks that a warp takes several, and a tile of 256 columns full, one short, one over.</summary>
    public static readonly (int Rows, int Columns)[] RowShapes = [(2500, 5), (35, 255), (5, 256), (3, 257)];

    // After Shapes: initialisers run in the order of the text.
    private static readonly Dictionary<string, OperationCase> ByName = Enumerate().ToDictionary(c => c.Name);

    public static IEnumerable<OperationCase> All => ByName.Values;

    public static OperationCase Find(string name) => ByName[name];

    /// <summary><see cref="Shapes"/> in float32, <see cref="HalfShapes"/> in both half precisions, and more shapes in all three; with a suffix for names.</summary>
    public static IEnumerable<(int Rows, int Columns, DType Type, string Suffix)> Typed(params (int Rows, int Columns)[] more) =>
    [
        .. Shapes.Concat(more).Select(shape => (shape.Rows, shape.Columns, DType.Float32, "")),
        .. HalfShapes.Concat(more).Select(shape => (shape.Rows, shape.Columns, DType.Float16, " f16")),
        .. HalfShapes.Concat(more).Select(shape => (shape.Rows, shape.Columns, DType.BFloat16, " bf16")),
    ];

    private static IEnumerable<OperationCase> Enumerate() =>
    [
        .. ElementwiseCases.All,
        .. ActivationCases.All,
        .. LayerNormCases.All,
        .. BinCountsCases.All,
        .. ExpandTokensCases.All,
        .. EmbeddingCases.All,
        .. HeadFilterCases.All,
        .. CrossEntropyCases.All,
        .. HeadCases.All,
        .. AdamCases.All,
        .. MatMulCases.All,
    ];
}
