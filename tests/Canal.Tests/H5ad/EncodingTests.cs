using Canal.Data;
using Canal.Data.H5ad;

namespace Canal.Tests.H5ad;

/// <summary>The same cells and genes in every encoding that is read.</summary>
public sealed class EncodingTests
{
    [Theory]
    [InlineData("modern", "X")]
    [InlineData("modern", "layers/counts")]
    [InlineData("untidy", "X")]
    [InlineData("csc", "X")]
    [InlineData("dense_f16", "X")]
    [InlineData("dense_f64", "X")]
    [InlineData("dense_i16", "X")]
    [InlineData("legacy_0.7", "X")]
    [InlineData("legacy_0.5", "X")]
    [InlineData("legacy_0.5", "raw/X")]
    [InlineData("soft_links", "X")]
    [InlineData("soft_links", "layers/counts")]
    [InlineData("unknown", "X")]
    public void Every_encoding_holds_the_same_matrix(string name, string location)
    {
        using var file = Fixtures.Open(name);
        Assert.Equal(Fixtures.CellNames, file.CellNames);
        Assert.Equal(Fixtures.GeneNames, file.GeneNames(location));
        var matrix = file.OpenMatrix(location);
        Assert.Equal((Fixtures.Cells, Fixtures.Genes, location), (matrix.CellCount, matrix.GeneCount, matrix.Location));
        foreach (var blockCells in new[] { 1, 4, Fixtures.Cells }) Fixtures.AssertMatrix(matrix, Fixtures.Value, blockCells);
    }

    [Fact]
    public void Booleans_are_ones()
    {
        using var file = Fixtures.Open("dense_bool");
        Fixtures.AssertMatrix(file.OpenMatrix("X"), (cell, gene) => Math.Min(1, Fixtures.Value(cell, gene)), 5);
    }

    [Fact]
    public void Raw_has_genes_of_its_own()
    {
        using var file = Fixtures.Open("modern");
        Assert.Equal(["layers/counts", "raw/X", "X"], file.Matrices);
        Assert.Equal(2 * Fixtures.Genes, file.GeneNames("raw/X").Count);
        Assert.Equal("EXTRA6", file.GeneNames("raw/X")[^1]);
        Fixtures.AssertMatrix(file.OpenMatrix("raw/X"), (cell, gene) => Fixtures.Value(cell, gene % Fixtures.Genes), 6);
        Assert.Equal(["feature_name"], file.VarColumns("X"));
        Assert.Empty(file.VarColumns("raw/X"));
        Assert.Equal("Name3", file.ReadVar("X", "feature_name").Values[3]);
        Assert.Equal(2.0, file.DeclaredLogBase);
    }

    [Fact]
    public void Columns_of_every_kind_are_read_as_text()
    {
        using var file = Fixtures.Open("modern");
        Assert.Equal(["type", "grade", "text", "f16", "f32", "f64", "i8", "u32", "i64", "truth", "maybe_int", "maybe_truth"], file.ObsColumns);
        string?[] Column(string name) => [.. file.ReadObs(name).Values];
        string?[] Expected(Func<int, string?> value) => [.. Enumerable.Range(0, Fixtures.Cells).Select(value)];
        string Tenth(int cell) => (cell / 10).ToString() + (cell % 10 == 0 ? "" : "." + cell % 10);
        int Code(int cell) => cell % 4 - 1;

        Assert.Equal(Fixtures.Types, Column("type"));
        Assert.Equal(Expected(cell => Code(cell) < 0 ? null : $"{10 * (Code(cell) + 1)}"), Column("grade"));
        Assert.Equal(Expected(cell => $"téxt {cell}"), Column("text"));
        Assert.Equal(Expected(Tenth), Column("f16"));
        Assert.Equal(Expected(cell => Code(cell) < 0 ? null : Tenth(cell)), Column("f32"));
        Assert.Equal(Expected(Tenth), Column("f64"));
        Assert.Equal(Expected(cell => $"{cell - 5}"), Column("i8"));
        Assert.Equal(Expected(cell => $"{cell + 2147483648L}"), Column("u32"));
        Assert.Equal(Expected(cell => $"{cell * 1_000_000_000_000L}"), Column("i64"));
        Assert.Equal(Expected(cell => cell % 3 == 0 ? "True" : "False"), Column("truth"));
        Assert.Equal(Expected(cell => Code(cell) < 0 ? null : $"{Code(cell)}"), Column("maybe_int"));
        Assert.Equal(Expected(cell => Code(cell) < 0 ? null : Code(cell) != 0 ? "True" : "False"), Column("maybe_truth"));
    }

    [Fact]
    public void Old_categories_are_found_beside_the_columns_and_in_uns()
    {
        using var beside = Fixtures.Open("legacy_0.7");
        Assert.Equal(["type", "score"], beside.ObsColumns);
        Assert.Equal(Fixtures.Types, beside.ReadObs("type").Values);
        Assert.Equal("1.75", beside.ReadObs("score").Values[7]);
        using var records = Fixtures.Open("legacy_0.5");
        Assert.Equal(["type", "n_counts", "ok", "note"], records.ObsColumns);
        Assert.Equal(Fixtures.Types.Select(type => type == "gamma δ" ? "gamma" : type), records.ReadObs("type").Values);
        Assert.Equal(["True", "False"], records.ReadObs("ok").Values.Take(2));
        Assert.All(records.ReadObs("note").Values, note => Assert.Equal("n", note));
        Assert.Equal(["X", "raw/X"], records.Matrices.Order());
    }

    [Fact]
    public void An_unknown_encoding_is_only_in_the_way_when_asked_for()
    {
        using var file = Fixtures.Open("unknown");
        Assert.Equal(["odd", "text"], file.ObsColumns);
        Assert.Equal(Fixtures.CellNames, file.ReadObs("text").Values);
        var error = Assert.Throws<UserException>(() => file.ReadObs("odd"));
        Assert.Contains("obs/odd: is encoded as 'from-the-future'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_column_can_name_the_cells()
    {
        using var file = H5adFile.Open(Fixtures.Find("modern"), cellIdColumn: "i64");
        Assert.Equal("3000000000000", file.CellNames[3]);
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(20, 64)]
    [InlineData(1000, 1000)]
    public void Buckets_of_any_size_put_cells_in_order(int bucketEntries, int bufferedEntries)
    {
        var random = new Random(5);
        var cells = Enumerable.Range(0, 50).Select(_ => new List<(int Gene, double Value)>()).ToArray();
        var dealt = new List<(int Cell, int Gene, double Value)>();
        for (var gene = 0; gene < 30; gene++)
            for (var cell = 0; cell < cells.Length; cell++)
                if (cell != 7 && random.Next(3) == 0) dealt.Add((cell, gene, random.NextDouble()));
        foreach (var (cell, gene, value) in dealt) cells[cell].Add((gene, value));
        var folder = Directory.CreateTempSubdirectory("canal-buckets-").FullName;
        try
        {
            using (var buckets = new ScratchBuckets(folder, [.. cells.Select(cell => cell.Count)], bucketEntries, bufferedEntries))
            {
                Assert.Empty(Directory.GetFiles(folder)); // the scratch file has no name, so nothing stays behind
                foreach (var (cell, gene, value) in dealt) buckets.Deal(cell, gene, value);
                buckets.Finish();
                foreach (var cell in Enumerable.Range(0, cells.Length).Concat([30, 2, 49, 0]))
                {
                    buckets.ReadCell(cell, out var genes, out var values);
                    Assert.Equal(cells[cell].Select(entry => entry.Gene), genes.ToArray());
                    Assert.Equal(cells[cell].Select(entry => entry.Value), values.ToArray());
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Reading_again_allocates_next_to_nothing()
    {
        using var file = Fixtures.Open("untidy");
        var matrix = file.OpenMatrix("X");
        var block = new SparseRows();
        matrix.ReadCells(0, Fixtures.Cells, block);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var pass = 0; pass < 10; pass++) matrix.ReadCells(0, Fixtures.Cells, block);
        var each = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        Assert.True(each <= 4096, $"{each} bytes a call"); // handles and closures, nothing that grows with the block
    }
}
