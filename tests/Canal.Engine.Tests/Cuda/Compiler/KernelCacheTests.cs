using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Compiler;

public sealed class KernelCacheTests : IDisposable
{
    private static readonly Version Driver = new(12, 8);
    private readonly TemporaryFolder folder = new();
    private readonly List<string> said = [];
    private readonly FakeNvrtc nvrtc = new();

    private string Folder => folder["cache/kernels"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_program_is_compiled_once_and_comes_back_equal()
    {
        var first = Images().Get(FakeNvrtc.Program());
        var second = Images().Get(FakeNvrtc.Program());
        Assert.Equal(1, nvrtc.Calls);
        Assert.Equal((first.Target, first.Log), (second.Target, second.Log));
        Assert.Equal(first.Bytes, second.Bytes);
        var file = Assert.Single(Directory.GetFiles(Folder));
        Assert.StartsWith("probe-sm_80-", Path.GetFileName(file), StringComparison.Ordinal);
        Assert.Empty(said);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Folder));
    }

    [Fact]
    public void Another_driver_compiles_again()
    {
        Images().Get(FakeNvrtc.Program());
        new KernelImages(nvrtc.Compiler(), Cache(), 80, new Version(12, 9)).Get(FakeNvrtc.Program());
        Assert.Equal(2, nvrtc.Calls);
    }

    [Fact]
    public void A_damaged_entry_is_compiled_again_once()
    {
        var good = Images().Get(FakeNvrtc.Program());
        var file = Directory.GetFiles(Folder).Single();
        var whole = File.ReadAllBytes(file);
        (string What, byte[] Bytes)[] damages =
        [
            ("emptied", []), ("cut", whole[..^1]), ("cut to the checksum", whole[..32]), ("longer", [.. whole, 0]), ("first byte", Flipped(whole, 0)),
            ("key", Flipped(whole, 40)), ("middle", Flipped(whole, whole.Length / 2)), ("last byte", Flipped(whole, whole.Length - 1)),
        ];
        foreach (var (what, bytes) in damages)
        {
            File.WriteAllBytes(file, bytes);
            var calls = nvrtc.Calls;
            Assert.Equal(good.Bytes, Images().Get(FakeNvrtc.Program()).Bytes);
            Images().Get(FakeNvrtc.Program());
            Assert.True(nvrtc.Calls == calls + 1, $"{what}: compiled {nvrtc.Calls - calls} times");
            Assert.Equal(whole, File.ReadAllBytes(file));
        }
        Assert.Empty(said);
    }

    [Fact]
    public void An_entry_under_the_name_of_another_is_not_taken()
    {
        var image = Images().Get(FakeNvrtc.Program());
        var file = Directory.GetFiles(Folder).Single();
        var other = nvrtc.Compiler().Key(FakeNvrtc.Program("WIDTH=64"), 80, Driver);
        File.Copy(file, Path.Combine(Folder, other.FileName));
        Assert.Null(Cache().Read(other));
        Assert.NotEqual(image.Bytes, Images().Get(FakeNvrtc.Program("WIDTH=64")).Bytes);
    }

    [Fact]
    public void An_image_that_the_driver_refused_is_replaced()
    {
        var key = nvrtc.Compiler().Key(FakeNvrtc.Program(), 80, Driver);
        Cache().Write(key, new KernelImage(new KernelTarget(80, true), [1, 2, 3], ""));
        Assert.Equal([1, 2, 3], Images().Get(FakeNvrtc.Program()).Bytes);
        var fresh = Images().Recompile(FakeNvrtc.Program());
        Assert.Equal(fresh.Bytes, Images().Get(FakeNvrtc.Program()).Bytes);
        Assert.Equal(1, nvrtc.Calls);
    }

    [Fact]
    public void Concurrent_writers_and_readers_see_whole_entries_only()
    {
        var key = nvrtc.Compiler().Key(FakeNvrtc.Program(), 80, Driver);
        // Two images under one key, as no compiler makes: a mixture would be told by its bytes.
        var images = Enumerable.Range(1, 2).Select(value => new KernelImage(new KernelTarget(80, true), [.. Enumerable.Repeat((byte)value, 40_000)], "")).ToArray();
        Cache().Write(key, images[0]);
        var threads = Enumerable.Range(0, 4).Select(worker => new Thread(() =>
        {
            var cache = Cache();
            for (var i = 0; i < 50; i++)
            {
                if (worker < 2) cache.Write(key, images[worker]);
                var read = cache.Read(key);
                if (read is null || read.Bytes.Length != 40_000 || read.Bytes.Distinct().Count() != 1) lock (said) said.Add("not whole");
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Empty(said);
        Assert.Single(Directory.GetFiles(Folder)); // no temporary file is left
    }

    [Fact]
    public void A_folder_that_cannot_be_used_is_told_once_and_everything_works_without()
    {
        File.WriteAllText(folder["cache"], "a file where the folder should be");
        var cache = Cache();
        var images = new KernelImages(nvrtc.Compiler(), cache, 80, Driver);
        for (var i = 0; i < 2; i++) Assert.NotEmpty(images.Get(FakeNvrtc.Program()).Bytes);
        Assert.Equal(2, nvrtc.Calls);
        Assert.StartsWith($"Compiled kernels cannot be kept in {Folder}, every start compiles them again: ", Assert.Single(said), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_any_folder_it_is_told_once_too()
    {
        var images = new KernelImages(nvrtc.Compiler(), new KernelCache(null, said.Add), 80, Driver);
        for (var i = 0; i < 2; i++) images.Get(FakeNvrtc.Program());
        Assert.Equal("Compiled kernels are not kept, every start compiles them again: neither XDG_CACHE_HOME nor HOME names a folder.", Assert.Single(said));
    }

    [Fact]
    public void What_was_not_read_for_months_goes()
    {
        Images().Get(FakeNvrtc.Program());
        var kept = Directory.GetFiles(Folder).Single();
        File.WriteAllText(folder["cache/kernels/old-sm_70-00.kernel"], "");
        File.WriteAllText(folder["cache/kernels/old-sm_70-00.kernel.1.new"], "");
        File.WriteAllText(folder["cache/kernels/notes.txt"], "not ours");
        foreach (var file in Directory.GetFiles(Folder)) File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddDays(-91));
        Images().Get(FakeNvrtc.Program()); // read, and so kept
        Images().Get(FakeNvrtc.Program("WIDTH=64"));
        Assert.Equal(["notes.txt", .. new[] { kept, Path.Combine(Folder, nvrtc.Compiler().Key(FakeNvrtc.Program("WIDTH=64"), 80, Driver).FileName) }.Select(Path.GetFileName).Order()],
            Directory.GetFiles(Folder).Select(Path.GetFileName).OrderBy(name => name != "notes.txt").ThenBy(name => name));
    }

    [Theory]
    [InlineData("/caches", "/home/ada", "/caches/canal/kernels")]
    [InlineData(null, "/home/ada", "/home/ada/.cache/canal/kernels")]
    [InlineData("", "/home/ada", "/home/ada/.cache/canal/kernels")]
    [InlineData("relative", "/home/ada", "/home/ada/.cache/canal/kernels")] // the base directory specification says: ignore it
    [InlineData(null, null, null)]
    public void The_folder_follows_the_base_directory_specification(string? caches, string? home, string? expected) =>
        Assert.Equal(expected, KernelCache.DefaultFolder(name => name switch { "XDG_CACHE_HOME" => caches, "HOME" => home, _ => null }));

    private KernelCache Cache() => new(Folder, line =>
    {
        lock (said) said.Add(line);
    });

    private KernelImages Images() => new(nvrtc.Compiler(), Cache(), 80, Driver);

    private static byte[] Flipped(byte[] bytes, int position)
    {
        var copy = bytes.ToArray();
        copy[position] ^= 0x10;
        return copy;
    }
}
