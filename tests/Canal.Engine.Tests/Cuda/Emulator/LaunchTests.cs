using Canal.Engine.Devices.Cuda;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>A launch that no card takes, or whose arguments are not those of the kernel, throws before anything runs.</summary>
public sealed class LaunchTests
{
    [SkippableFact]
    public void ArgumentsAreHeldToTheKernelsDeclaration()
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun();
        var y = run.Allocate<float>(64);
        Refused(default(KernelArguments).Add(y), "takes (Pointer, Int32) and was given (Pointer)");
        Refused(default(KernelArguments).Add(y).Add(1f), "was given (Pointer, Float32)");
        Refused(default(KernelArguments).Add(y).Add(1L), "was given (Pointer, Int64)");
        Refused(default(KernelArguments).Add(y).Add(1).Add(1), "was given (Pointer, Int32, Int32)");
        run.Launch("exited_lanes_repaired", new LaunchShape(1, 32), default(KernelArguments).Add(y).Add(1));

        void Refused(in KernelArguments arguments, string expected)
        {
            var message = "";
            try
            {
                run.Launch("exited_lanes_repaired", new LaunchShape(1, 32), arguments);
            }
            catch (InvalidOperationException refusal)
            {
                message = refusal.Message;
            }
            Assert.Contains(expected, message, StringComparison.Ordinal);
        }
    }

    [SkippableTheory]
    [InlineData(0, 1, 32, 1, 0)]
    [InlineData(1, 65536, 32, 1, 0)]
    [InlineData(1, 1, 0, 1, 0)]
    [InlineData(1, 1, 1025, 1, 0)]
    [InlineData(1, 1, 512, 3, 0)]
    [InlineData(1, 1, 32, 1, (163 << 10) + 1)]
    public void LimitsOfCardsAreKept(int gridX, int gridY, int blockX, int blockY, int sharedBytes)
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun();
        var y = run.Allocate<float>(64);
        var refusal = Assert.Throws<InvalidOperationException>(() => run.Launch("two_operations_repaired", new LaunchShape(gridX, gridY, 1, blockX, blockY, sharedBytes), default(KernelArguments).Add(y)));
        Assert.Contains("no card takes", refusal.Message, StringComparison.Ordinal);
    }
}
