using Canal.Data;
using Canal.Data.H5ad;
using Canal.Interop.Hdf5;
using Canal.Testing;

namespace Canal.Tests.H5ad;

/// <summary>Damaged, hostile and unsuitable files end with one line that says what, where and what to do.</summary>
public sealed class DamageTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("refused_lzf", "lzf", "compression='gzip'")]
    [InlineData("refused_external_link", "X: links to another file", "copy")]
    [InlineData("refused_soft_to_external", "door: links to another file", "copy")]
    [InlineData("refused_external_storage", "X: its data lie in another file", "copy")]
    [InlineData("refused_virtual", "X: is a virtual dataset", "copy")]
    [InlineData("refused_circle", "circle", "")]
    [InlineData("refused_claim", "claims 1073741824 x 1048576 elements", "fetch or write it again")]
    [InlineData("refused_cells_claim", "claims 1099511627776 elements", "fetch or write it again")]
    [InlineData("refused_wide_text", "texts of 500000 bytes", "")]
    public void Hostile_files_are_refused_without_being_followed(string name, string what, string cure)
    {
        var before = GC.GetTotalAllocatedBytes();
        var path = Fixtures.Find(name);
        Expect(path, () => H5adFile.Open(path), what, cure);
        Assert.True(GC.GetTotalAllocatedBytes() - before < 64 << 20);
    }

    [Fact]
    public void A_missing_library_is_the_machines_fault()
    {
        var error = Assert.Throws<MachineException>(() => H5adErrors.Reading<int>("a.h5ad", () => throw new Hdf5MissingException("libhdf5 was not found (tried x)")));
        Assert.Equal("libhdf5 was not found (tried x); install libhdf5 (Debian/Ubuntu: apt-get install libhdf5-103-1) or name it in the environment variable CANAL_HDF5.", error.Message);
        error = Assert.Throws<MachineException>(() => H5adErrors.Writing("a.h5ad", () => throw new Hdf5Exception("writing", "No space left on device")));
        Assert.Contains("a.h5ad: the disk is full", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_file_says_so()
    {
        Expect("nowhere.h5ad", () => H5adFile.Open("nowhere.h5ad"), "no such file");
        Expect(folder.Root, () => H5adFile.Open(folder.Root), "folder");
        File.WriteAllText(folder["empty.h5ad"], "");
        Expect(folder["empty.h5ad"], () => H5adFile.Open(folder["empty.h5ad"]), "is empty");
        File.WriteAllText(folder["text.h5ad"], "cell,gene\n" + new string('x', 5000));
        Expect(folder["text.h5ad"], () => H5adFile.Open(folder["text.h5ad"]), "is not an HDF5 file");
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(0.95)]
    public void A_file_cut_short_says_so(double kept)
    {
        var bytes = File.ReadAllBytes(Fixtures.Find("csc"));
        File.WriteAllBytes(folder["cut.h5ad"], bytes[..(int)(bytes.Length * kept)]);
        Expect(folder["cut.h5ad"], () => H5adFile.Open(folder["cut.h5ad"]), "cut off", "again");
    }

    [Fact]
    public void Random_contents_are_read_right_or_refused()
    {
        // Values, not bytes: libhdf5 itself (1.10.8) does not survive every damage to its own structures.
        var random = new Random(20);
        var outcomes = new Dictionary<bool, int> { [true] = 0, [false] = 0 };
        for (var trial = 0; trial < 200; trial++)
        {
            var pointers = Enumerable.Range(0, 4).Select(_ => (long)random.Next(5)).ToArray();
            if (trial % 3 != 0) Array.Sort(pointers);
            if (trial % 4 != 0) pointers[0] = 0;
            if (trial % 5 != 0) pointers[3] = 6;
            var indices = Enumerable.Range(0, 6).Select(_ => (long)random.Next(trial % 2 == 0 ? 3 : 4)).ToArray();
            var values = indices.Select(_ => (double)random.Next(-1, 3)).ToArray();
            Make(folder["random.h5ad"], root =>
            {
                using var matrix = root.CreateGroup("X");
                matrix.WriteAttribute("encoding-type", "csr_matrix");
                matrix.WriteAttribute("shape", new long[] { 3, 3 });
                matrix.Write<long>("indptr", pointers).Dispose();
                matrix.Write<long>("indices", indices).Dispose();
                matrix.Write<double>("data", values).Dispose();
            });
            var sound = pointers[0] == 0 && pointers[3] == 6 && pointers.Order().SequenceEqual(pointers) && indices.Max() < 3;
            outcomes[sound]++;
            if (!sound)
            {
                Expect(folder["random.h5ad"], () => ReadAll(folder["random.h5ad"]));
                continue;
            }
            var expected = new double[3, 3];
            for (var row = 0; row < 3; row++)
                for (var entry = pointers[row]; entry < pointers[row + 1]; entry++) expected[row, indices[entry]] += values[entry];
            using var file = H5adFile.Open(folder["random.h5ad"]);
            Fixtures.AssertMatrix(file.OpenMatrix("X"), (cell, gene) => expected[cell, gene], 2);
        }
        Assert.True(outcomes[true] > 20 && outcomes[false] > 20, $"{outcomes[true]} sound, {outcomes[false]} not");
    }

    [SkippableFact]
    public void A_file_that_is_being_written_says_so()
    {
        File.Copy(Fixtures.Find("modern"), folder["busy.h5ad"]);
        using (var writer = Fixtures.StartPython("""
            import h5py, sys
            with h5py.File(sys.argv[1], "r+"):
                print("open", flush=True)
                sys.stdin.readline()
            """, folder["busy.h5ad"]))
        {
            Assert.Equal("open", writer.StandardOutput.ReadLine());
            Expect(folder["busy.h5ad"], () => H5adFile.Open(folder["busy.h5ad"]), "riting", "ry again when that is done");
            writer.StandardInput.Close();
            writer.WaitForExit();
        }
        H5adFile.Open(folder["busy.h5ad"]).Dispose();
    }

    [Theory]
    [InlineData("not monotone", "indptr goes from 4 to 3")]
    [InlineData("past the end", "indptr goes from 2 to 9")]
    [InlineData("short of the end", "indptr ends at 5, not at the 6 entries")]
    [InlineData("from one", "indptr starts with 1")]
    [InlineData("too few pointers", "indptr has 3 entries, not 4")]
    [InlineData("gene out of range", "refers to gene 3 in row 1 but has 3 genes")]
    [InlineData("gene negative", "refers to gene -1 in row 1 but has 3 genes")]
    [InlineData("unequal lengths", "6 indices but 5 values")]
    [InlineData("nan", "holds NaN for cell 'b', gene 'G2'")]
    [InlineData("infinite", "holds an infinite value for cell 'b', gene 'G2'")]
    [InlineData("text values", "data holds string, not numbers")]
    [InlineData("no values", "X/data")]
    [InlineData("no shape", "no shape of two dimensions")]
    [InlineData("negative shape", "no shape of two dimensions")]
    [InlineData("more rows than cells", "X has 4 rows but obs has 3")]
    [InlineData("more columns than genes", "X has 4 columns but var has 3")]
    [InlineData("endless row", "stores 20 entries for row 0")]
    public void Damage_in_a_sparse_matrix_is_found(string damage, string what)
    {
        var path = folder["damaged.h5ad"];
        long[] pointers = [0, 2, 4, 6], shape = [3, 3];
        long[] indices = [0, 1, 1, 2, 0, 2];
        double[] values = [1, 2, 3, 4, 5, 6];
        switch (damage)
        {
            case "not monotone": pointers = [0, 4, 3, 6]; break;
            case "past the end": pointers = [0, 2, 9, 6]; break;
            case "short of the end": pointers = [0, 2, 4, 5]; break;
            case "from one": pointers = [1, 2, 4, 6]; break;
            case "too few pointers": pointers = [0, 2, 6]; break;
            case "gene out of range": indices[3] = 3; break;
            case "gene negative": indices[3] = -1; break;
            case "unequal lengths": values = values[..5]; break;
            case "nan": values[3] = double.NaN; break;
            case "infinite": values[3] = double.NegativeInfinity; break;
            case "negative shape": shape = [3, -3]; break;
            case "more rows than cells": (shape, pointers) = ([4, 3], [0, 2, 4, 6, 6]); break;
            case "more columns than genes": shape = [3, 4]; break;
            case "endless row": (pointers, indices, values) = ([0, 20, 20, 20], new long[20], new double[20]); break;
        }
        Make(path, root =>
        {
            using var matrix = root.CreateGroup("X");
            matrix.WriteAttribute("encoding-type", "csr_matrix");
            if (damage != "no shape") matrix.WriteAttribute("shape", shape);
            matrix.Write<long>("indptr", pointers).Dispose();
            matrix.Write<long>("indices", indices).Dispose();
            if (damage == "text values") matrix.Write("data", indices.Select(_ => "x").ToArray()).Dispose();
            else if (damage != "no values") matrix.Write<double>("data", values).Dispose();
        });
        Expect(path, () => ReadAll(path), what);
    }

    [Fact]
    public void Codes_beyond_the_categories_are_found()
    {
        var path = folder["codes.h5ad"];
        Make(path, root =>
        {
            root.Write("X", new double[3].AsSpan()).Dispose();
            using var layers = root.CreateGroup("layers");
            WriteSmall(layers, "a");
            using var obs = root.OpenGroup("obs");
            using var column = obs.CreateGroup("type");
            column.WriteAttribute("encoding-type", "categorical");
            column.Write("categories", ["one", "two"]).Dispose();
            column.Write<sbyte>("codes", [0, 2, -1]).Dispose();
            using var low = obs.CreateGroup("low");
            low.WriteAttribute("encoding-type", "categorical");
            low.Write("categories", ["one", "two"]).Dispose();
            low.Write<sbyte>("codes", [0, -2, -1]).Dispose();
            obs.WriteAttribute("column-order", ["type", "low", "gone"]);
        });
        using var file = H5adFile.Open(path);
        Assert.Equal(["layers/a"], file.Matrices); // X has one dimension
        Assert.Equal(["type", "low"], file.ObsColumns);
        Expect(path, () => file.ReadObs("type"), "obs/type/codes: holds the code 2 but there are 2 categories");
        Expect(path, () => file.ReadObs("low"), "holds the code -2");
        Expect(path, () => file.ReadObs("label"), "obs has no column 'label'; there are: type, low");
        Expect(path, () => file.OpenMatrix("X"), "has no matrix X; there are: layers/a");
    }

    [Fact]
    public void Missing_parts_and_doubled_names_are_found()
    {
        Make(folder["a.h5ad"], _ => { });
        Expect(folder["a.h5ad"], () => H5adFile.Open(folder["a.h5ad"]), "holds no expression matrix");
        Make(folder["b.h5ad"], root => WriteSmall(root, "X"), cells: ["a", "b", "a"]);
        Expect(folder["b.h5ad"], () => H5adFile.Open(folder["b.h5ad"]), "two cells are called 'a' (rows 0 and 2", "--cell-id");
        Make(folder["c.h5ad"], root => WriteSmall(root, "X"), cells: []);
        Expect(folder["c.h5ad"], () => H5adFile.Open(folder["c.h5ad"]), "holds no cells");
        using (var bare = Hdf5File.Create(folder["d.h5ad"])) bare.Root.CreateGroup("other").Dispose();
        Expect(folder["d.h5ad"], () => H5adFile.Open(folder["d.h5ad"]), "has no obs");
        Make(folder["e.h5ad"], root =>
        {
            WriteSmall(root, "X");
            root.Delete("var");
        });
        using var file = H5adFile.Open(folder["e.h5ad"]);
        Expect(folder["e.h5ad"], () => file.OpenMatrix("X"), "has no var");
    }

    private static void ReadAll(string path)
    {
        using var file = H5adFile.Open(path);
        var matrix = file.OpenMatrix("X");
        matrix.ReadCells(0, matrix.CellCount, new SparseRows());
    }

    private static void WriteSmall(Hdf5Group parent, string name)
    {
        using var matrix = parent.CreateGroup(name);
        matrix.WriteAttribute("encoding-type", "csr_matrix");
        matrix.WriteAttribute("shape", new long[] { 3, 3 });
        matrix.Write<long>("indptr", [0, 0, 0, 0]).Dispose();
        matrix.Write<long>("indices", []).Dispose();
        matrix.Write<double>("data", []).Dispose();
    }

    private static void Make(string path, Action<Hdf5Group> fill, string[]? cells = null)
    {
        using var file = Hdf5File.Create(path);
        foreach (var (name, index) in new[] { ("obs", cells ?? ["a", "b", "c"]), ("var", ["G0", "G1", "G2"]) })
        {
            using var table = file.Root.CreateGroup(name);
            table.WriteAttribute("_index", "_index");
            table.WriteAttribute("column-order", []);
            table.Write("_index", index).Dispose();
        }
        fill(file.Root);
    }

    private static void Expect(string path, Action act, params string[] parts)
    {
        var message = Assert.Throws<UserException>(act).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        foreach (var part in parts) Assert.Contains(part, message, StringComparison.Ordinal);
    }
}
