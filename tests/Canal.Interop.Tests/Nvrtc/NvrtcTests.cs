using System.Text;
using Canal.Interop.Nvrtc;
using Canal.Testing;

namespace Canal.Interop.Tests.Nvrtc;

public sealed class NvrtcTests
{
    private const string Kernel = """
        extern "C" __global__ void twice(float* x, int n)
        {
            for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) x[i] = FACTOR * x[i];
        }
        """;

    private static readonly Dictionary<string, string> Headers = new() { ["twice.cu"] = Kernel, ["factor.cuh"] = "#define FACTOR 2.0f\n" };

    [SkippableFact]
    public void The_library_tells_its_version_and_its_architectures()
    {
        var nvrtc = NvrtcForTests.Require();
        Assert.True(nvrtc.Version >= new Version(11, 2), $"{nvrtc.Version}");
        Assert.Contains(80, nvrtc.Architectures);
        Assert.Equal(nvrtc.Architectures.Order(), nvrtc.Architectures);
        Assert.Contains("nvrtc", nvrtc.File, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_program_with_named_headers_becomes_machine_code_and_ptx()
    {
        NvrtcForTests.Require();
        var source = new NvrtcSource("program", "#include \"factor.cuh\"\n#include \"twice.cu\"\n", Headers);
        var cubin = NvrtcCompiler.Compile(source, ["--gpu-architecture=sm_80", "--std=c++17", "--ptxas-options=-v"]);
        Assert.Equal([0x7f, (byte)'E', (byte)'L', (byte)'F'], cubin.Image[..4]);
        Assert.Contains("Function properties for twice", cubin.Log, StringComparison.Ordinal);
        var ptx = NvrtcCompiler.Compile(source, ["--gpu-architecture=compute_80", "--std=c++17"]);
        Assert.Equal(0, ptx.Image[^1]);
        Assert.Contains(".entry twice(", Encoding.UTF8.GetString(ptx.Image), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void An_error_names_the_file_the_line_and_the_options_and_keeps_the_log()
    {
        NvrtcForTests.Require();
        var source = new NvrtcSource("program", "#include \"twice.cu\"\n", Headers); // FACTOR is not defined
        string[] options = ["--gpu-architecture=sm_80", "--std=c++17"];
        var error = Assert.Throws<NvrtcException>(() => NvrtcCompiler.Compile(source, options));
        Assert.Contains("twice.cu(3): error: identifier \"FACTOR\" is undefined", error.Log, StringComparison.Ordinal);
        Assert.Contains(error.Log.TrimEnd(), error.Message, StringComparison.Ordinal);
        Assert.Contains("options: --gpu-architecture=sm_80 --std=c++17", error.Message, StringComparison.Ordinal);
        Assert.StartsWith("program does not compile: ", error.Message, StringComparison.Ordinal);
        Assert.Equal(options, error.Options);
    }

    [SkippableFact]
    public void An_option_that_is_not_known_is_told_from_an_error_in_the_program()
    {
        NvrtcForTests.Require();
        var source = new NvrtcSource("program", "", Headers);
        var error = Assert.Throws<NvrtcException>(() => NvrtcCompiler.Compile(source, ["--gpu-architecture=sm_80", "--no-such-option"]));
        Assert.Contains("does not know one of the options", error.Message, StringComparison.Ordinal);
        Assert.Contains("--no-such-option", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<NvrtcException>(() => NvrtcCompiler.Compile(source, ["--gpu-architecture=sm_20"]));
        Assert.Contains("--gpu-architecture=sm_20", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_that_is_missing_is_told_in_one_line_with_the_cure()
    {
        var missing = Assert.Throws<NvrtcMissingException>(() => NvrtcLibrary.Use(CudaLibraries.Load(CudaLibrary.Nvrtc, "/nowhere/libnvrtc.so.12", [], int.MaxValue)));
        Assert.StartsWith("NVRTC, the run-time compiler of CUDA, was not found: CANAL_NVRTC names /nowhere/libnvrtc.so.12, which does not load: ", missing.Message, StringComparison.Ordinal);
        Assert.EndsWith("install the CUDA toolkit or the Python package nvidia-cuda-nvrtc, or name a libnvrtc in CANAL_NVRTC", missing.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', missing.Message);
    }

    [Fact]
    public void Another_library_is_not_taken_for_nvrtc()
    {
        var other = CudaLibraries.Load(CudaLibrary.Nvrtc, "libm.so.6", [], int.MaxValue);
        Assert.NotEqual(0, other.Handle);
        Assert.StartsWith("libm.so.6 is no NVRTC", Assert.Throws<NvrtcMissingException>(() => NvrtcLibrary.Use(other)).Message, StringComparison.Ordinal);
    }
}
