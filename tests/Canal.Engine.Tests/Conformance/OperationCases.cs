using Canal.Engine.Tests.Conformance.Cases;

namespace Canal.Engine.Tests.Conformance;

/// <summary>All cases: one line a file of cases.</summary>
public static class OperationCases
{
    /// <summary>Rows and columns: edges of registers and of chunks, primes, more rows and more elements than any chunk holds.</summary>
    public static readonly (int Rows, int Columns)[] Shapes = [(1, 1), (1, 31), (2, 33), (31, 16), (33, 200), (257, 17), (521, 33), (2, 1031)];

    // After Shapes: initialisers run in the order of the text.
    private static readonly Dictionary<string, OperationCase> ByName = Enumerate().ToDictionary(c => c.Name);

    public static IEnumerable<OperationCase> All => ByName.Values;

    public static OperationCase Find(string name) => ByName[name];

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
