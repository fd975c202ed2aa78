using Canal.Data;
using Canal.Data.H5ad;
using Canal.Testing;

namespace Canal.Tests.H5ad;

/// <summary>New files: read again by ourselves and by AnnData.</summary>
public sealed class WriterTests : IDisposable
{
    private const string Describe = """
        import anndata, json, numpy, sys
        a = anndata.read_h5ad(sys.argv[1])
        print(json.dumps([a.shape, str(a.X.dtype), type(a.X).__name__, a.X.toarray().tolist(), list(a.obs_names), list(a.var_names),
            {k: str(t) for k, t in a.obs.dtypes.items()}, {k: [None if v != v or v is None else v for v in a.obs[k].tolist()] for k in a.obs},
            a.var["symbol"].tolist(), a.uns["name"], a.uns["nested"]["numbers"].tolist(), int(a.uns["nested"]["cells"]), list(a.uns["nested"]["types"]), bool(a.uns["simulated"]),
            int(a.X.has_sorted_indices), str(a.X.indices.dtype), str(a.X.indptr.dtype)], ensure_ascii=False))
        a.write_h5ad(sys.argv[1] + ".again")
        """;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(H5adValues.Float32, 1)]
    [InlineData(H5adValues.Int32, 5)]
    public void A_new_file_reads_back(H5adValues stored, int blockCells)
    {
        Write(folder["new.h5ad"], stored, blockCells);
        using var file = H5adFile.Open(folder["new.h5ad"]);
        Assert.Equal(["X"], file.Matrices);
        Assert.Equal(Fixtures.CellNames, file.CellNames);
        Assert.Equal(Fixtures.GeneNames, file.GeneNames("X"));
        Fixtures.AssertMatrix(file.OpenMatrix("X"), Fixtures.Value, 7);
        Assert.Equal(Fixtures.Types, file.ReadObs("type").Values);
        Assert.Equal("1.5", file.ReadObs("score").Values[3]);
        Assert.Equal(["True", "False", "True"], file.ReadObs("even").Values.Take(3));
        Assert.Equal("Symbol2", file.ReadVar("X", "symbol").Values[2]);
        Assert.Equal([folder["new.h5ad"]], Directory.GetFiles(folder.Root));
    }

    [SkippableFact]
    public void AnnData_reads_a_new_file_and_writes_it_again()
    {
        Write(folder["new.h5ad"], H5adValues.Float32, 4);
        var told = Fixtures.Python(Describe, folder["new.h5ad"]);
        Assert.StartsWith("[[23, 7], \"float32\", \"csr_matrix\", [[0.0, 3.0, 2.0, 1.0, 0.0, 3.0, 2.0], [1.0, 0.0, 3.0", told, StringComparison.Ordinal);
        Assert.Contains("""{"type": "category", "score": "float32", "count": "int64", "note": "object", "even": "bool"}""", told, StringComparison.Ordinal);
        Assert.Contains("\"type\": [null, \"alpha\", \"beta\", \"gamma δ\", null, ", told, StringComparison.Ordinal);
        Assert.Contains("\"note\": [\"note 0\", \"note 1\"", told, StringComparison.Ordinal);
        Assert.Contains("\"a name\", [0.5, 1.5], 23, [\"x\", \"y\"], true, 1, \"int32\", \"int32\"]", told, StringComparison.Ordinal);
        using var again = H5adFile.Open(folder["new.h5ad.again"]);
        Assert.Equal(Fixtures.Types, again.ReadObs("type").Values);
        Fixtures.AssertMatrix(again.OpenMatrix("X"), Fixtures.Value, 23);
    }

    [Fact]
    public void A_writer_that_is_not_completed_leaves_nothing_and_the_old_file_whole()
    {
        File.WriteAllText(folder["old.h5ad"], "old");
        using (var writer = new H5adWriter(folder["old.h5ad"], Fixtures.Genes)) writer.Append(Block(0, 5));
        Assert.Equal("old", File.ReadAllText(folder["old.h5ad"]));
        Assert.Equal([folder["old.h5ad"]], Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void Values_that_do_not_fit_are_refused()
    {
        using var writer = new H5adWriter(folder["new.h5ad"], Fixtures.Genes, H5adValues.Int32);
        var block = new SparseRows();
        block.Append([1], [0.5]);
        Assert.Throws<ArgumentException>(() => writer.Append(block));
        block.Clear();
        block.Append([Fixtures.Genes], [1]);
        Assert.Throws<ArgumentException>(() => writer.Append(block));
    }

    [Fact]
    public void Categories_take_the_narrowest_codes()
    {
        var names = Enumerable.Range(0, 40_000).Select(cell => $"c{cell:D5}").ToArray();
        using (var writer = new H5adWriter(folder["wide.h5ad"], 1))
        {
            var block = new SparseRows();
            foreach (var _ in names) block.Append([], []);
            writer.Append(block);
            writer.Complete(
                new AnnotationTable(names, [
                    CategoryColumn.FromValues("c127", [.. names.Select((_, cell) => $"{cell % 127}")]),
                    CategoryColumn.FromValues("c128", [.. names.Select((_, cell) => $"{cell % 128}")]),
                    CategoryColumn.FromValues("c40000", names)]),
                new AnnotationTable(["G"], []));
        }
        using (var raw = Interop.Hdf5.Hdf5File.OpenRead(folder["wide.h5ad"]))
        using (var obs = raw.Root.OpenGroup("obs"))
        {
            var widths = new[] { "c127", "c128", "c40000" }.Select(name =>
            {
                using var column = obs.OpenGroup(name);
                using var codes = column.OpenDataset("codes");
                return codes.Type.ToString();
            });
            Assert.Equal(["int8", "int16", "int32"], widths);
        }
        using var file = H5adFile.Open(folder["wide.h5ad"]);
        Assert.Equal(names, file.ReadObs("c40000").Values);
        Assert.Equal("71", file.ReadObs("c128").Values[199]);
    }

    private static SparseRows Block(int first, int count)
    {
        var block = new SparseRows();
        for (var cell = first; cell < first + count; cell++)
        {
            var genes = Enumerable.Range(0, Fixtures.Genes).Where(gene => Fixtures.Value(cell, gene) != 0).ToArray();
            block.Append(genes, [.. genes.Select(gene => Fixtures.Value(cell, gene))]);
        }
        return block;
    }

    private static void Write(string path, H5adValues stored, int blockCells)
    {
        var cells = Enumerable.Range(0, Fixtures.Cells).ToArray();
        using var writer = new H5adWriter(path, Fixtures.Genes, stored);
        for (var first = 0; first < Fixtures.Cells; first += blockCells) writer.Append(Block(first, Math.Min(blockCells, Fixtures.Cells - first)));
        writer.Complete(
            new AnnotationTable(Fixtures.CellNames, [
                CategoryColumn.FromValues("type", Fixtures.Types),
                new NumberColumn<float>("score", [.. cells.Select(cell => cell / 2f)]),
                new NumberColumn<long>("count", [.. cells.Select(cell => (long)cell)]),
                new TextColumn("note", [.. cells.Select(cell => $"note {cell}")]),
                new BooleanColumn("even", [.. cells.Select(cell => cell % 2 == 0)])]),
            new AnnotationTable(Fixtures.GeneNames, [new TextColumn("symbol", [.. Enumerable.Range(0, Fixtures.Genes).Select(gene => $"Symbol{gene}")])]),
            new Dictionary<string, object>
            {
                ["name"] = "a name",
                ["simulated"] = true,
                ["nested"] = new Dictionary<string, object> { ["numbers"] = new[] { 0.5, 1.5 }, ["cells"] = 23, ["types"] = new[] { "x", "y" } },
            });
    }
}
