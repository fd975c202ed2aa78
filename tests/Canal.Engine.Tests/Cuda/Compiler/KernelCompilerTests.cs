using System.Text;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Cuda.Compiler;

namespace Canal.Engine.Tests.Cuda.Compiler;

public sealed class KernelCompilerTests
{
    private static readonly Version Driver = new(12, 8);

    [Fact]
    public void A_known_architecture_becomes_machine_code_and_a_newer_one_ptx_of_the_last_before_it()
    {
        var compiler = new FakeNvrtc().Compiler();
        Assert.Equal("sm_80", compiler.TargetFor(80).ToString());
        Assert.Equal("compute_80", compiler.TargetFor(86).ToString());
        Assert.Equal("compute_90", compiler.TargetFor(120).ToString());
    }

    [Fact]
    public void A_device_that_nvrtc_has_dropped_is_told_with_the_cure()
    {
        var error = Assert.Throws<CudaKernelException>(() => new FakeNvrtc { Version = new Version(13, 0), Architectures = [75, 80, 90] }.Compiler().TargetFor(70));
        Assert.Equal("NVRTC 13.0 (libfake.so) makes no code for compute capability 7.0, its oldest is 7.5: name the NVRTC of an older CUDA in CANAL_NVRTC.", error.Message);
    }

    [Fact]
    public void The_compiler_gets_the_program_its_files_and_no_others()
    {
        var image = new FakeNvrtc().Compiler().Compile(FakeNvrtc.Program("WIDTH=64"), 80);
        Assert.Equal("probe|#include \"a.cu\"\n|a.cu|common.cuh|tiles.cuh|--std=c++17|--gpu-architecture=sm_80|-lineinfo|-DWIDTH=64", Encoding.UTF8.GetString(image.Bytes));
        Assert.Equal((new KernelTarget(80, true), "said"), (image.Target, image.Log));
    }

    [Theory]
    [InlineData("11.8", 90, 90, false)] // overflowed its stack
    [InlineData("11.8", 90, 120, false)]
    [InlineData("11.8", 90, 80, true)]
    [InlineData("12.0", 90, 90, true)]
    public void Line_tables_are_asked_for_but_not_of_11_8_for_9_0(string version, int newest, int architecture, bool expected)
    {
        var compiler = new FakeNvrtc { Version = Version.Parse(version), Architectures = [80, newest] }.Compiler();
        Assert.Equal(expected, compiler.Options(FakeNvrtc.Program(), compiler.TargetFor(architecture), resources: false).Contains("-lineinfo"));
    }

    [Fact]
    public void Resources_are_asked_for_of_machine_code_alone()
    {
        var compiler = new FakeNvrtc().Compiler();
        Assert.Contains("--ptxas-options=-v", compiler.Options(FakeNvrtc.Program(), compiler.TargetFor(80), resources: true));
        Assert.DoesNotContain("--ptxas-options=-v", compiler.Options(FakeNvrtc.Program(), compiler.TargetFor(80), resources: false));
        Assert.DoesNotContain("--ptxas-options=-v", compiler.Options(FakeNvrtc.Program(), compiler.TargetFor(86), resources: true));
    }

    [Fact]
    public void Every_term_changes_the_key()
    {
        static KernelCacheKey Key(FakeNvrtc nvrtc, KernelProgram? program = null, int architecture = 80, Version? driver = null, bool resources = false) =>
            nvrtc.Compiler().Key(program ?? FakeNvrtc.Program(), architecture, driver ?? Driver, resources);
        static FakeNvrtc Changed(string file, string text)
        {
            var nvrtc = new FakeNvrtc();
            nvrtc.Files[file] = text;
            return nvrtc;
        }

        var nvrtc = new FakeNvrtc();
        KernelCacheKey[] keys =
        [
            Key(nvrtc),
            Key(Changed("a.cu", nvrtc.Files["a.cu"] + " ")),
            Key(Changed("common.cuh", "C")),
            Key(Changed("tiles.cuh", "T")), // included through a.cu
            Key(nvrtc, new KernelProgram("probe", ["a.cu", "other.cu"], [])),
            Key(nvrtc, FakeNvrtc.Program("WIDTH=64")),
            Key(nvrtc, FakeNvrtc.Program("WIDTH=16")),
            Key(nvrtc, FakeNvrtc.Program("WIDTH=1", "6")),
            Key(nvrtc, resources: true),
            Key(nvrtc, architecture: 90),
            Key(nvrtc, architecture: 86), // PTX of 8.0
            Key(nvrtc, architecture: 89), // the same PTX, another device
            Key(new FakeNvrtc { Version = new Version(12, 5) }),
            Key(nvrtc, driver: new Version(12, 9)),
        ];
        Assert.Equal(keys.Length, keys.Select(key => Convert.ToHexString(key.Hash)).Distinct().Count());
        Assert.Equal(keys.Length, keys.Select(key => key.FileName).Distinct().Count());
        Assert.Equal(keys[0].Hash, Key(new FakeNvrtc()).Hash);
        Assert.Equal(keys[0].Hash, Key(Changed("other.cu", "not included")).Hash);
    }

    [Fact]
    public void A_program_that_does_not_compile_is_named_with_target_options_and_log()
    {
        var nvrtc = new FakeNvrtc();
        nvrtc.Files["tiles.cuh"] = "WRONG";
        var error = Assert.Throws<CudaKernelException>(() => nvrtc.Compiler().Compile(FakeNvrtc.Program("WIDTH=64"), 80));
        Assert.StartsWith("Kernel program probe, NVRTC 12.4 for sm_80: a.cu does not compile.", error.Message, StringComparison.Ordinal);
        Assert.Contains("-DWIDTH=64", error.Message, StringComparison.Ordinal);
        Assert.Contains("a.cu(3): error: WRONG", error.Message, StringComparison.Ordinal);
    }
}
