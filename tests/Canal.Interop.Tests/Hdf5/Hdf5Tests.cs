using Canal.Interop.Hdf5;
using Canal.Testing;

namespace Canal.Interop.Tests.Hdf5;

public sealed class Hdf5Tests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_library_tells_its_version()
    {
        var (version, file) = Hdf5Library.Probe();
        Assert.True(version >= new Version(1, 10, 0), $"{version}");
        Assert.Contains("hdf5", file, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_that_is_not_there_is_named()
    {
        Assert.Equal(0, NativeLibraries.Load("nothing", "CANAL_NO_SUCH_VARIABLE", ["libnothing.so.1", "libnothing.so.2"], out var tried));
        Assert.Equal("libnothing.so.1, libnothing.so.2", tried);
        Environment.SetEnvironmentVariable("CANAL_TEST_LIBRARY", "/nowhere/libother.so");
        Assert.Equal(0, NativeLibraries.Load("nothing", "CANAL_TEST_LIBRARY", ["libc.so.6"], out tried)); // the variable alone counts
        Assert.Equal("/nowhere/libother.so", tried);
    }

    [Fact]
    public void Arrays_come_back_whole_and_in_parts()
    {
        var numbers = Enumerable.Range(0, 100_003).Select(value => value * 0.5).ToArray();
        using (var file = Hdf5File.Create(folder["a.h5"]))
        {
            file.Root.Write<double>("packed", numbers).Dispose();
            file.Root.Write<double>("plain", numbers, compress: false).Dispose();
            file.Root.Write<sbyte>("small", [-128, 0, 127]).Dispose();
            file.Root.Write<int>("empty", []).Dispose();
            file.Root.Write("truths", [true, false, true]).Dispose();
            using var growing = file.Root.CreateGrowing<long>("growing");
            for (var start = 0; start < 100_000; start += 7_000) growing.Append<long>([.. Enumerable.Range(start, Math.Min(7_000, 100_000 - start)).Select(value => (long)value)]);
            using var rows = file.Root.CreateGrowingRows("rows", 3);
            rows.AppendRows([1, 2, 3]);
            rows.AppendRows([4, 5, 6, 7, 8, 9]);
            Assert.Throws<ArgumentException>(() => rows.AppendRows([1, 2]));
        }
        using var read = Hdf5File.OpenRead(folder["a.h5"]);
        Assert.Equal(["empty", "growing", "packed", "plain", "rows", "small", "truths"], read.Root.Names());
        foreach (var name in new[] { "packed", "plain" })
        {
            using var dataset = read.Root.OpenDataset(name);
            Assert.Equal((100_003L, name == "packed"), (dataset.Count, dataset.Chunk is not null));
            var part = new double[40_000];
            dataset.Read(60_003, part);
            Assert.Equal(numbers[60_003..], part);
            Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Read(60_004, part));
            Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Read(-1, part));
        }
        using var small = read.Root.OpenDataset("small");
        var wide = new long[3];
        small.Read(0, wide);
        Assert.Equal([-128, 0, 127], wide);
        using var truths = read.Root.OpenDataset("truths");
        var bytes = new sbyte[3];
        truths.Read(0, bytes);
        Assert.Equal([1, 0, 1], bytes);
        Assert.Equal(Hdf5Kind.Boolean, truths.Type.Kind);
        using var empty = read.Root.OpenDataset("empty");
        empty.Read(0, Span<long>.Empty);
        using var grown = read.Root.OpenDataset("growing");
        var all = new long[100_000];
        grown.Read(0, all);
        Assert.Equal(Enumerable.Range(0, 100_000).Select(value => (long)value), all);
        using var matrix = read.Root.OpenDataset("rows");
        var two = new double[6];
        matrix.ReadRows(1, 2, two);
        Assert.Equal([4, 5, 6, 7, 8, 9], two);
    }

    [Fact]
    public void Texts_and_attributes_come_back()
    {
        string[] texts = ["", "α-cell", new string('x', 5000), "tab\tand \"quotes\""];
        using (var file = Hdf5File.Create(folder["t.h5"]))
        {
            using var written = file.Root.Write("texts", texts);
            written.WriteAttribute("one", "μ");
            written.WriteAttribute("one", "replaced");
            written.WriteAttribute("list", texts);
            written.WriteAttribute("none", Array.Empty<string>());
            written.WriteAttribute("numbers", new long[] { 3, -4 });
            written.WriteAttribute("truth", true);
        }
        using var read = Hdf5File.OpenRead(folder["t.h5"]);
        using var dataset = read.Root.OpenDataset("texts");
        var back = new string[3];
        dataset.Read(1, back);
        Assert.Equal(texts[1..], back);
        Assert.Equal("replaced", dataset.ReadAttributeString("one"));
        Assert.Equal(texts, dataset.ReadAttributeStrings("list"));
        Assert.Equal([], dataset.ReadAttributeStrings("none"));
        Assert.Equal([3, -4], dataset.ReadAttributeIntegers("numbers"));
        Assert.Null(dataset.ReadAttributeStrings("numbers"));
        Assert.Null(dataset.ReadAttributeIntegers("one"));
        Assert.Null(dataset.ReadAttributeStrings("absent"));
        Assert.True(dataset.HasAttribute("truth"));
    }

    [Fact]
    public void A_text_that_is_too_long_is_not_allocated()
    {
        using (var file = Hdf5File.Create(folder["long.h5"])) file.Root.Write("texts", [new string('x', 70_000)]).Dispose();
        using var read = Hdf5File.OpenRead(folder["long.h5"]);
        using var dataset = read.Root.OpenDataset("texts");
        Assert.Throws<Hdf5Exception>(() => dataset.Read(0, new string[1]));
    }

    [Fact]
    public void Groups_tell_what_they_hold()
    {
        using var file = Hdf5File.Create(folder["g.h5"]);
        using var group = file.Root.CreateGroup("group");
        group.CreateGroup("inner").Dispose();
        Assert.Equal("group/inner", group.OpenGroup("inner").Location);
        Assert.True(group.Has("inner"));
        Assert.False(group.Has("outer"));
        Assert.False(file.Root.Has("group/inner")); // one step at a time, so that every link is looked at
        Assert.Throws<Hdf5RefusedException>(() => file.Root.Open("group/inner"));
        Assert.Throws<Hdf5RefusedException>(() => group.OpenDataset("inner"));
        group.Delete("inner");
        Assert.Empty(group.Names());
        var error = Assert.Throws<Hdf5Exception>(() => group.Open("inner"));
        Assert.StartsWith("group/inner: opening: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("doesn't exist", error.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Closed_objects_and_missing_files_throw()
    {
        Assert.Throws<Hdf5Exception>(() => Hdf5File.OpenRead(folder["nowhere.h5"]));
        using var file = Hdf5File.Create(folder["c.h5"]);
        var dataset = file.Root.Write<int>("d", [1, 2]);
        dataset.Dispose();
        Assert.Throws<ObjectDisposedException>(() => dataset.Read(0, new long[1]));
    }

    [Fact]
    public void Many_threads_share_the_library()
    {
        using (var file = Hdf5File.Create(folder["p.h5"])) file.Root.Write<long>("d", [.. Enumerable.Range(0, 50_000).Select(value => (long)value)]).Dispose();
        Parallel.For(0, 8, thread =>
        {
            for (var round = 0; round < 20; round++)
            {
                using var file = Hdf5File.OpenRead(folder["p.h5"]);
                using var dataset = file.Root.OpenDataset("d");
                var part = new long[100];
                dataset.Read(thread * 1000 + round, part);
                Assert.Equal(thread * 1000 + round, part[0]);
                Assert.Throws<Hdf5Exception>(() => file.Root.Open("missing"));
            }
        });
    }
}
