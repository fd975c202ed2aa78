using Canal.Data.H5ad;
using Canal.Testing;

namespace Canal.Tests.H5ad;

/// <summary>Annotated copies hold all the source held, and the additions; AnnData opens them.</summary>
public sealed class AnnotatorTests : IDisposable
{
    /// <summary>Compares everything in two files but the additions, by h5py: objects, types, values, attributes.</summary>
    private const string Compare = """
        import h5py, numpy, sys
        before, after = h5py.File(sys.argv[1], "r"), h5py.File(sys.argv[2], "r")
        lost = []
        def attributes(name, a, b):
            for key in a.attrs:
                if key == "column-order" or (name == "obs" and key == "encoding-version"):
                    continue
                x, y = a.attrs[key], b.attrs.get(key)
                if isinstance(x, h5py.Reference):
                    y = before[x].name if after[y].name == before[x].name else None
                    x = before[x].name
                if not numpy.array_equal(x, y):
                    lost.append(name + "@" + key)
        def visit(name, item):
            if name not in after:
                lost.append(name)
                return
            attributes(name, item, after[name])
            if isinstance(item, h5py.Dataset):
                x, y = item[()], after[name][()]
                if item.dtype != after[name].dtype or not numpy.array_equal(x, y, equal_nan=item.dtype.kind == "f"):
                    lost.append(name)
        attributes("", before, after)
        before.visititems(visit)
        print("lost", lost)
        """;

    private const string Describe = """
        import anndata, json, sys
        for path in sys.argv[1:]:
            a = anndata.read_h5ad(path)
            a.write_h5ad(path + ".again")
            a = anndata.read_h5ad(path + ".again")
            print(json.dumps([list(a.obs), a.obs["canal_cell_type"].tolist()[:3], str(a.obs["canal_cell_type"].dtype), str(a.obs["canal_confidence"].dtype),
                a.obsm["X_canal"].shape, str(a.obsm["X_canal"].dtype), a.obsm["X_canal"][2].tolist(), a.uns["canal"]["model"], list(a.uns["canal"]["types"])]))
        """;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [SkippableFact]
    public void AnnData_opens_the_copies_and_writes_them_again()
    {
        string[] names = ["modern", "csc", "dense_i16", "legacy_0.7", "soft_links"];
        foreach (var name in names)
        {
            H5adAnnotator.Write(Fixtures.Find(name), folder[name], Additions("m1"));
            AssertAnnotated(folder[name], name);
        }
        var told = Fixtures.Python(Describe, [.. names.Select(name => folder[name])]).Split('\n');
        Assert.Equal(names.Length, told.Length);
        Assert.All(told, line => Assert.EndsWith("""["beta", NaN, "alpha"], "category", "float32", [23, 3], "float32", [6.0, 7.0, 8.0], "m1", ["alpha", "beta"]]""", line, StringComparison.Ordinal));
        foreach (var name in names) AssertAnnotated(folder[name] + ".again", name);
    }

    [SkippableTheory]
    [InlineData("modern")]
    [InlineData("legacy_0.7")]
    [InlineData("soft_links")]
    public void Nothing_is_lost(string name)
    {
        H5adAnnotator.Write(Fixtures.Find(name), folder["out.h5ad"], Additions("m1"));
        Assert.Equal("lost []", Fixtures.Python(Compare, Fixtures.Find(name), folder["out.h5ad"]));
    }

    [SkippableFact]
    public void Unknown_encodings_survive()
    {
        H5adAnnotator.Write(Fixtures.Find("unknown"), folder["out.h5ad"], Additions("m1"));
        AssertAnnotated(folder["out.h5ad"], "unknown");
        Assert.Equal("lost []", Fixtures.Python(Compare, Fixtures.Find("unknown"), folder["out.h5ad"]));
    }

    [SkippableFact]
    public void Tables_of_records_become_groups_that_take_more_columns()
    {
        H5adAnnotator.Write(Fixtures.Find("legacy_0.5"), folder["out.h5ad"], Additions("m1"));
        AssertAnnotated(folder["out.h5ad"], "legacy_0.5");
        var told = Fixtures.Python(
            """
            import anndata, json, sys
            a = anndata.read_h5ad(sys.argv[1])
            a.write_h5ad(sys.argv[1] + ".again")
            print(json.dumps([a.obs["type"].tolist()[:4], a.obs["n_counts"].tolist()[:2], a.obs["ok"].tolist()[:2], a.obs["note"].tolist()[0],
                list(a.obs_names)[:2], a.obsm["X_pca"].tolist()[:2], a.obsm["X_canal"].shape, sorted(a.uns), a.raw.shape]))
            """,
            folder["out.h5ad"]);
        Assert.Equal("""[[NaN, "alpha", "beta", "gamma"], [11.0, 10.0], [true, false], "n", ["cell0", "cell1"], [[0.0, 1.0], [2.0, 3.0]], [23, 3], ["canal"], [23, 7]]""", told);
    }

    [Fact]
    public void A_second_annotation_replaces_the_first()
    {
        H5adAnnotator.Write(Fixtures.Find("modern"), folder["out.h5ad"], Additions("m1") with { Obs = [.. Additions("m1").Obs, new TextColumn("canal_stale", Fixtures.CellNames)] });
        using (var first = H5adFile.Open(folder["out.h5ad"])) Assert.Contains("canal_stale", first.ObsColumns);
        H5adAnnotator.Write(folder["out.h5ad"], folder["out.h5ad"], Additions("m2")); // the target is the source
        AssertAnnotated(folder["out.h5ad"], "modern");
        using var second = H5adFile.Open(folder["out.h5ad"]);
        Assert.DoesNotContain("canal_stale", second.ObsColumns);
        Assert.Equal(second.ObsColumns.Count, second.ObsColumns.Distinct().Count());
        Assert.Equal([folder["out.h5ad"]], Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void A_failure_half_way_leaves_the_old_file_whole()
    {
        File.WriteAllText(folder["out.h5ad"], "old");
        var failing = Additions("m1") with { Obsm = [new CellEmbedding("X_canal", 3, (_, _) => throw new InvalidOperationException("the model failed"))] };
        Assert.Throws<InvalidOperationException>(() => H5adAnnotator.Write(Fixtures.Find("modern"), folder["out.h5ad"], failing));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => H5adAnnotator.Write(Fixtures.Find("modern"), folder["out.h5ad"], Additions("m1"), cancelled.Token));
        Assert.Throws<ArgumentException>(() => H5adAnnotator.Write(Fixtures.Find("modern"), folder["out.h5ad"], new H5adAdditions { Obs = [new TextColumn("short", ["one"])] }));
        Assert.Equal("old", File.ReadAllText(folder["out.h5ad"]));
        Assert.Equal([folder["out.h5ad"]], Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void A_source_that_is_no_h5ad_leaves_no_output()
    {
        File.WriteAllText(folder["text.h5ad"], new string('x', 5000));
        Assert.Throws<UserException>(() => H5adAnnotator.Write(folder["text.h5ad"], folder["out.h5ad"], Additions("m1")));
        Assert.Throws<UserException>(() => H5adAnnotator.Write(folder["nowhere.h5ad"], folder["out.h5ad"], Additions("m1")));
        Assert.Equal([folder["text.h5ad"]], Directory.GetFiles(folder.Root));
    }

    [SkippableFact]
    public void Real_files_keep_everything()
    {
        var source = SharedFiles.Require("data", "pbmc68k_reduced_scanpy_original.h5ad");
        var additions = new H5adAdditions { Obs = [new NumberColumn<float>("canal_confidence", new float[700])], Obsm = [CellEmbedding.FromArray("X_canal", 2, new float[1400])] };
        H5adAnnotator.Write(source, folder["out.h5ad"], additions);
        Assert.Equal("lost []", Fixtures.Python(Compare, source, folder["out.h5ad"]));
    }

    private static H5adAdditions Additions(string model) => new()
    {
        Obs =
        [
            new CategoryColumn("canal_cell_type", ["alpha", "beta"], [.. Enumerable.Range(0, Fixtures.Cells).Select(cell => cell % 3 == 1 ? -1 : cell % 3 == 0 ? 1 : 0)]),
            new NumberColumn<float>("canal_confidence", [.. Enumerable.Range(0, Fixtures.Cells).Select(cell => cell / 32f)]),
            new TextColumn("canal_reason", [.. Enumerable.Range(0, Fixtures.Cells).Select(cell => cell % 2 == 0 ? "" : "novel")]),
        ],
        Obsm = [CellEmbedding.FromArray("X_canal", 3, [.. Enumerable.Range(0, Fixtures.Cells * 3).Select(value => (float)value)])],
        Uns = new Dictionary<string, object> { ["canal"] = new Dictionary<string, object> { ["model"] = model, ["types"] = new[] { "alpha", "beta" }, ["threshold"] = 0.5 } },
    };

    private static void AssertAnnotated(string path, string source)
    {
        using var before = Fixtures.Open(source);
        using var file = H5adFile.Open(path);
        Assert.Equal([.. before.ObsColumns, "canal_cell_type", "canal_confidence", "canal_reason"], file.ObsColumns);
        Assert.Equal(["beta", null, "alpha"], file.ReadObs("canal_cell_type").Values.Take(3));
        Assert.Equal("0.125", file.ReadObs("canal_confidence").Values[4]);
        Assert.Equal(["", "novel"], file.ReadObs("canal_reason").Values.Take(2));
        foreach (var column in before.ObsColumns.Where(column => column != "odd")) Assert.Equal(before.ReadObs(column).Values, file.ReadObs(column).Values);
        foreach (var location in file.Matrices) Assert.Equal(before.GeneNames(location), file.GeneNames(location));
        Assert.Equal(before.Matrices, file.Matrices);
        Fixtures.AssertMatrix(file.OpenMatrix("X"), Fixtures.Value, 23);
    }
}
