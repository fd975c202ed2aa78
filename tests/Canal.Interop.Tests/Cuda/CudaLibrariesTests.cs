using System.Runtime.InteropServices;
using Canal.Testing;

namespace Canal.Interop.Tests.Cuda;

public sealed class CudaLibrariesTests : IDisposable
{
    private static readonly CudaLibrary Probe = new("CANAL_TEST_PROBE", "libcanalprobe.so", ["13", "12", "11.2"]);
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [SkippableFact]
    public void The_newest_version_is_taken_wherever_it_lies()
    {
        Build("old/libcanalprobe.so.11.2", 11);
        Build("new/libcanalprobe.so.12", 12);
        Assert.Equal((12, folder["new/libcanalprobe.so.12"]), Load(Probe, null, "old", "new"));
    }

    [SkippableFact]
    public void A_library_newer_than_the_driver_is_left_alone()
    {
        Build("a/libcanalprobe.so.13", 13);
        Build("b/libcanalprobe.so.12", 12);
        Assert.Equal((12, folder["b/libcanalprobe.so.12"]), Load(Probe, null, newestMajor: 12, "a", "b"));
        var none = CudaLibraries.Load(Probe, null, [folder["a"]], newestMajor: 12);
        Assert.Equal(((nint)0, "libcanalprobe.so.12, libcanalprobe.so.11.2 not found on the loader path nor in CUDA and Python folders (1 searched)"), (none.Handle, none.Problem));
    }

    [SkippableFact]
    public void A_named_file_is_the_only_one_tried()
    {
        Build("a/libcanalprobe.so.13", 13);
        var none = CudaLibraries.Load(Probe, folder["b/libcanalprobe.so.12"], [folder["a"]], int.MaxValue);
        Assert.Equal(0, none.Handle);
        Assert.Equal($"CANAL_TEST_PROBE names {folder["b/libcanalprobe.so.12"]}, which does not load: cannot open shared object file: No such file or directory", none.Problem);
        Assert.Equal((13, folder["a/libcanalprobe.so.13"]), Load(Probe, folder["a/libcanalprobe.so.13"]));
    }

    [SkippableFact]
    public void A_broken_file_is_told_and_an_older_one_taken()
    {
        Build("a/libcanalprobe.so.12", 12);
        File.WriteAllText(folder["a/libcanalprobe.so.13"], "not a library");
        Assert.Equal(12, Load(Probe, null, "a").Value);
        var none = CudaLibraries.Load(Probe with { Versions = ["13"] }, null, [folder["a"]], int.MaxValue);
        Assert.EndsWith($"; {folder["a/libcanalprobe.so.13"]} does not load: file too short", none.Problem, StringComparison.Ordinal);
    }

    [SkippableTheory, InlineData(false), InlineData(true)]
    public void A_companion_is_loaded_from_the_same_folder(bool first)
    {
        // Linked against its companion without a path to it, as cuBLAS is against cublasLt in some packages.
        var companion = $"libcanalbeside{(first ? "A" : "B")}.so";
        var name = $"libcanalneeds{(first ? "A" : "B")}.so";
        Directory.CreateDirectory(folder["a"]);
        SharedLibraryBuilder.Build(folder[$"a/{companion}.12"], "extern \"C\" int beside() { return 120; }", $"-Wl,-soname,{companion}.12");
        SharedLibraryBuilder.Build(folder[$"a/{name}.12"], "extern \"C\" int beside(); extern \"C\" int value() { return beside() + 1; }", folder[$"a/{companion}.12"]);
        var library = new CudaLibrary("CANAL_TEST_PROBE", name, ["12"]);
        Assert.Equal(0, CudaLibraries.Load(library, null, [folder["a"]], int.MaxValue).Handle);
        Assert.Equal((121, folder[$"a/{name}.12"]), Load(library with { Companion = companion, CompanionFirst = first }, null, "a"));
    }

    [Fact]
    public void The_loader_path_comes_first_and_the_file_is_told()
    {
        var found = CudaLibraries.Load(new CudaLibrary("CANAL_TEST_PROBE", "libm.so", ["6"]), null, [], int.MaxValue);
        Assert.NotEqual(0, found.Handle);
        Assert.StartsWith("/", found.File, StringComparison.Ordinal);
        Assert.Contains("libm.so.6", found.File, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void The_file_behind_a_soname_is_told()
    {
        // The driver's soname is libcuda.so.1, its file is named after the driver's version.
        var file = SharedLibraryBuilder.Build(folder["libcanaldriver.so.535.1"], "extern \"C\" int value() { return 1; }", "-Wl,-soname,libcanaldriver.so.1");
        NativeLibrary.Load(file);
        Assert.Equal(file, CudaLibraries.Load(new CudaLibrary("CANAL_TEST_PROBE", "libcanaldriver.so", ["1"]), null, [], int.MaxValue).File);
    }

    [Fact]
    public void Cuda_installations_and_wheels_are_searched()
    {
        string[] there =
        [
            "home/cuda/lib64", "usr/local/cuda-12.4/targets/x86_64-linux/lib", "env/lib/python3.11/site-packages/nvidia/cublas/lib",
            "env/lib/python3.11/site-packages/nvidia/cu13/lib", "usr/lib/python3/dist-packages/nvidia/cuda_nvrtc/lib",
            "opt/torch/lib/python3.12/site-packages/nvidia/cublas/lib", "me/.local/lib/python3.12/site-packages/nvidia/cublas/lib", "conda/lib",
        ];
        foreach (var place in there) Directory.CreateDirectory(folder[place]);
        var variables = new Dictionary<string, string> { ["CUDA_HOME"] = folder["home/cuda"], ["VIRTUAL_ENV"] = folder["env"], ["HOME"] = folder["me"], ["CONDA_PREFIX"] = folder["conda"], ["CUDA_PATH"] = "not/absolute" };
        var found = new CudaFolders(variables.GetValueOrDefault, folder.Root).Existing();
        Assert.Equal(there.Select(place => folder[place]).Order(), found.Order());
        Assert.Equal(folder["home/cuda/lib64"], found[0]);
    }

    private void Build(string name, int value)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(folder[name])!);
        SharedLibraryBuilder.Build(folder[name], $"extern \"C\" int value() {{ return {value}; }}");
    }

    private (int Value, string File) Load(CudaLibrary library, string? named, params string[] folders) => Load(library, named, int.MaxValue, folders);

    private unsafe (int Value, string File) Load(CudaLibrary library, string? named, int newestMajor, params string[] folders)
    {
        var found = CudaLibraries.Load(library, named, [.. folders.Select(name => folder[name])], newestMajor);
        Assert.Equal("", found.Problem);
        return (((delegate* unmanaged<int>)NativeLibrary.GetExport(found.Handle, "value"))(), found.File);
    }
}
