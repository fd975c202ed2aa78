using System.Globalization;
using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Every kernel program compiles for every architecture, without spills, and can be launched as the engine launches it.</summary>
public sealed class NvrtcKernelTests(CompiledKernels kernels) : IClassFixture<CompiledKernels>
{
    public static TheoryData<int> Architectures => [.. CompiledKernels.Architectures];

    [SkippableTheory]
    [MemberData(nameof(Architectures))]
    public void Programs_compile_without_spills(int architecture)
    {
        Require(architecture);
        foreach (var program in kernels.Programs(architecture).Concat(CompiledKernels.OtherPrograms(architecture)))
        {
            var image = kernels.Compile(program, architecture);
            Assert.True(image.Target.IsMachineCode);
            Assert.DoesNotContain("warning", image.Log, StringComparison.OrdinalIgnoreCase);
            var resources = ResourceLog.Parse(image.Log);
            Assert.NotEmpty(resources);
            foreach (var kernel in resources)
            {
                Assert.True(kernel is { StackBytes: 0, SpillStoreBytes: 0, SpillLoadBytes: 0 },
                    $"{program.Name}, sm_{architecture}: {kernel}: registers are spilled, or an array is indexed by what is not constant.");
            }
        }
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

    private static int Require(int architecture)
    {
        var nvrtc = NvrtcForTests.Require();
        Skip.IfNot(nvrtc.Architectures.Contains(architecture), $"NVRTC {nvrtc.Version} makes no code for compute capability {architecture / 10}.{architecture % 10}.");
        return architecture;
    }
}
