using System.Globalization;
using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Interop.Nvrtc;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Every kernel program compiles for every architecture, without spills, and can be launched as the engine launches it.</summary>
[Collection(CompiledKernelTests.Name)]
public sealed class NvrtcKernelTests(CompiledKernels kernels)
{
    public static TheoryData<int> Architectures => [.. CompiledKernels.Architectures];

    [SkippableTheory]
    [MemberData(nameof(Architectures))]
    public void Programs_compile_without_spills(int architecture)
    {
        Require(architecture);
        var faults = new List<string>();
        foreach (var program in kernels.Programs(architecture).Concat(CompiledKernels.SmallPrograms(architecture)))
        {
            var image = kernels.Compile(program, architecture);
            Assert.True(image.Target.IsMachineCode);
            if (image.Log.Contains("warning", StringComparison.OrdinalIgnoreCase)) faults.Add($"{program.Name}: {image.Log}");
            var resources = ResourceLog.Parse(image.Log);
            Assert.NotEmpty(resources);
            faults.AddRange(resources.Where(kernel => kernel is not { StackBytes: 0, SpillStoreBytes: 0, SpillLoadBytes: 0 }).Select(kernel => $"{program.Name}: {kernel}"));
        }
        Assert.True(faults.Count == 0, $"sm_{architecture}: a warning, a register that is spilled, or an array that is indexed by what is not constant:\n{string.Join('\n', faults)}");
    }

    [SkippableTheory]
    [MemberData(nameof(Architectures))]
    public void Launches_keep_what_was_promised_to_the_compiler(int architecture)
    {
        Require(architecture);
        foreach (var program in kernels.Launches(architecture).GroupBy(launch => launch.Program))
        {
            var resources = ResourceLog.Parse(kernels.Compile(program.Key, architecture).Log).ToDictionary(kernel => kernel.Kernel);
            var bounds = LaunchBounds.Of(kernels.Ptx(program.Key));
            foreach (var launch in program.Distinct())
            {
                Assert.True(resources.TryGetValue(launch.Kernel, out var kernel), $"{program.Key.Name} has no kernel {launch.Kernel} on sm_{architecture}, but the engine launches it there.");
                Assert.True(launch.Shape.Threads <= bounds[launch.Kernel],
                    $"{launch.Kernel}, sm_{architecture}: {launch.Shape.Threads} threads, but __launch_bounds__ says {bounds[launch.Kernel]}.");
                var shared = kernel!.SharedBytes + launch.Shape.SharedBytes;
                Assert.True(Multiprocessor.Of(architecture).BlocksOf(launch.Shape.Threads, kernel.Registers, shared) > 0,
                    $"{launch.Kernel}, sm_{architecture}: a block of {launch.Shape.Threads} threads, {kernel.Registers} registers and {shared} bytes of shared memory does not fit.");
            }
        }
    }

    [SkippableFact]
    public void Programs_compile_to_ptx_for_devices_after_all_that_nvrtc_knows()
    {
        var newest = Require(CompiledKernels.PtxArchitecture);
        foreach (var program in kernels.Programs(newest))
        {
            var ptx = kernels.Ptx(program);
            Assert.Contains(string.Create(CultureInfo.InvariantCulture, $".target sm_{newest}"), ptx, StringComparison.Ordinal);
            Assert.All(LaunchBounds.Of(ptx), kernel => Assert.True(kernel.Value > 0, $"{kernel.Key} has no __launch_bounds__."));
        }
    }

    [SkippableFact]
    public void The_assembler_tells_spills_stack_and_shared_memory_in_words_that_are_understood()
    {
        NvrtcForTests.Require();
        const string Text = """
            extern "C" __global__ __launch_bounds__(1024, 2) void spilling(float* y, const float* x, int turns)
            {
                float kept[64];
                #pragma unroll
                for (int i = 0; i < 64; i++) kept[i] = x[1024 * i + threadIdx.x];
                for (int turn = 0; turn < turns; turn++)
                {
                    #pragma unroll
                    for (int i = 0; i < 64; i++) kept[i] = kept[i] * kept[63 - i] + kept[(7 * i + 3) % 64];
                }
                #pragma unroll
                for (int i = 0; i < 64; i++) y[1024 * i + threadIdx.x] = kept[i];
            }
            extern "C" __global__ __launch_bounds__(128) void sharing(float* y, const float* x)
            {
                __shared__ float tile[256];
                tile[threadIdx.x] = x[threadIdx.x];
                __syncthreads();
                y[threadIdx.x] = tile[127 - threadIdx.x];
            }
            """;
        var output = NvrtcCompiler.Compile(new NvrtcSource("probe", Text, new Dictionary<string, string>()), ["--gpu-architecture=sm_80", "--ptxas-options=-v"]);
        var kernels = ResourceLog.Parse(output.Log).ToDictionary(kernel => kernel.Kernel);
        Assert.True(kernels["spilling"] is { Registers: <= 32, SpillStoreBytes: > 0, SpillLoadBytes: > 0, StackBytes: > 0 }, output.Log);
        Assert.True(kernels["sharing"] is { SharedBytes: 1024, SpillStoreBytes: 0, SpillLoadBytes: 0, StackBytes: 0 }, output.Log);
    }

    private static int Require(int architecture)
    {
        var nvrtc = NvrtcForTests.Require();
        Skip.IfNot(nvrtc.Architectures.Contains(architecture), $"NVRTC {nvrtc.Version} makes no code for compute capability {architecture / 10}.{architecture % 10}.");
        return architecture;
    }
}
