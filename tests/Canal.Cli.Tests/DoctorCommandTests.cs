using System.Text.Json.Nodes;
using Canal.Cli.Commands;
using Canal.Interop.Cuda;
using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>What doctor says of drivers, GPUs and cuBLAS, with a stand-in named by the environment as a user would name a library.</summary>
[Collection(Alone)]
public sealed class DoctorCommandTests : IDisposable
{
    private const string Alone = "the environment is one for all";
    private static readonly string[] Variables = ["CANAL_CUDA", "CANAL_CUBLAS"];
    private readonly string?[] before = [.. Variables.Select(Environment.GetEnvironmentVariable)];

    public void Dispose()
    {
        for (var i = 0; i < Variables.Length; i++) Environment.SetEnvironmentVariable(Variables[i], before[i]);
    }

    [SkippableFact]
    public void DriverGpusAndCublasAreShown()
    {
        using var fake = new FakeCuda("version=12080;capabilities=90,61;cublas=12.8.4");
        var found = Doctor(fake.Path, fake.Path);
        Assert.Equal($"CUDA 12.8 ({fake.Path})", found["cuda driver"]!.GetValue<string>());
        Assert.Equal("Fake 1000, compute capability 9.0, 141 GiB, 132 multiprocessors, 227 KiB shared memory a block", found["gpu 0"]!.GetValue<string>());
        Assert.EndsWith(", NOT USABLE: GPU 1 (Fake 1001) has compute capability 6.1, Canal's kernels need 7.0 (Volta) or newer; use a newer GPU, or the CPU", found["gpu 1"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal($"12.8.4 ({fake.Path})", found["cublas"]!.GetValue<string>());
    }

    [Fact]
    public void MissingLibrariesAreNamedWithTheirCure()
    {
        var found = Doctor("/nowhere/libcuda.so.1", "/nowhere/libcublas.so.12");
        Assert.Null(found["gpu 0"]);
        Assert.Equal("cpu (what --device auto takes: no GPU can be used)", found["device"]!.GetValue<string>());
        Assert.StartsWith("MISSING: the CUDA driver was not found: CANAL_CUDA names /nowhere/libcuda.so.1, which does not load: ", found["cuda driver"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.EndsWith("; install NVIDIA's driver for this machine's GPU (525 or newer), or name its library in CANAL_CUDA", found["cuda driver"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.StartsWith("MISSING: cuBLAS was not found: CANAL_CUBLAS names /nowhere/libcublas.so.12", found["cublas"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("fail=cuInit:34", "cuda driver", "NOT USABLE: cuInit: CUDA_ERROR_STUB_LIBRARY (34)", "this is the toolkit's stub, not a driver")]
    [InlineData("fail=cuInit:100", "cuda driver", "NOT USABLE: cuInit: CUDA_ERROR_NO_DEVICE (100)", "see whether nvidia-smi lists a GPU")]
    [InlineData("version=11040", "cuda driver", "NOT USABLE: the NVIDIA driver (", "update NVIDIA's driver to 525 or newer")]
    [InlineData("fail=cuDevicePrimaryCtxRetain:2", "cublas", "12.4.5 (", "NOT USABLE: cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY (2)")]
    [InlineData("fail=cublasCreate_v2:1", "cublas", "12.4.5 (", "NOT USABLE: cublasCreate_v2: the library was not initialized (1)")]
    public void WhatIsNotUsableIsToldWithItsCure(string settings, string part, string start, string word)
    {
        using var fake = new FakeCuda(settings);
        var found = Doctor(fake.Path, fake.Path)[part]!.GetValue<string>();
        Assert.StartsWith(start, found, StringComparison.Ordinal);
        Assert.Contains(word, found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, true, true, "cuda:0 (what --device auto takes)")]
    [InlineData(true, true, false, "cpu (what --device auto takes: no GPU can be used)")]
    [InlineData(true, false, true, "cpu (what --device auto takes: no GPU can be used)")]
    [InlineData(false, true, true, "cpu (what --device auto takes: gpu 0 cannot be used, cuda:1 can)")]
    public void TheDeviceThatAutoTakesIsTold(bool firstWillDo, bool cublas, bool nvrtc, string expected)
    {
        CudaFoundDevice Gpu(int ordinal, bool willDo) => new(new CudaDevice(ordinal, "Card", new Version(willDo ? 8 : 6, 0), 1, 1, 1, 1, 1), willDo ? null : new CudaLack(CudaProblem.DeviceTooOld, "old", "new"));
        var part = new CudaPart(new Version(12, 4), "file", null);
        var findings = new CudaFindings(part, [Gpu(0, firstWillDo), Gpu(1, true)], cublas ? part : part with { Lack = new CudaLack(CudaProblem.CublasFailed, "refuses", "cure") });
        Assert.Equal(expected, CudaFindingRows.Device(findings, nvrtc).Line);
    }

    [Fact]
    public void TheTableStaysNarrowAndTroublesStandBelowIt()
    {
        Set("/nowhere/libcuda.so.1", "/nowhere/libcublas.so.12");
        var run = CommandLineRun.Of("doctor");
        var lines = run.Out.Split('\n');
        Assert.Equal(ExitCodes.Done, run.Code);
        Assert.Equal("cuda driver   MISSING", Assert.Single(lines, line => line.StartsWith("  cuda driver", StringComparison.Ordinal)).Trim());
        var trouble = Assert.Single(lines, line => line.StartsWith("cuda driver: the CUDA driver was not found: ", StringComparison.Ordinal));
        Assert.EndsWith("name its library in CANAL_CUDA", trouble, StringComparison.Ordinal);
    }

    private static void Set(string driver, string cublas)
    {
        Environment.SetEnvironmentVariable(Variables[0], driver);
        Environment.SetEnvironmentVariable(Variables[1], cublas);
    }

    private static JsonObject Doctor(string driver, string cublas)
    {
        Set(driver, cublas);
        var run = CommandLineRun.Of("doctor", "--json");
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        return JsonNode.Parse(run.Out)!.AsObject();
    }

    /// <summary>Runs while nothing else does: another command must not find the stand-in.</summary>
    [CollectionDefinition(Alone, DisableParallelization = true)]
    public sealed class AloneDefinition;
}
