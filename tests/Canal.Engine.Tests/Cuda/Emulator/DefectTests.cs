using Canal.Engine.Devices.Cuda;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>Every planted defect is reported, by name and place; its repaired twin passes. Nothing of it ends the process.</summary>
public sealed class DefectTests
{
    private const int Threads = 64;

    [SkippableTheory]
    [InlineData("divergent_barrier")]
    [InlineData("two_barriers")]
    [InlineData("two_operations")]
    public void ThreadsThatDoNotMeetAreReported(string kernel)
    {
        EmulatedRuntime.Require();
        var message = Failure(kernel, (run, arguments) => arguments([run.Allocate<float>(Threads)], []));
        Assert.Contains(DefectRun.MarkedPlace(kernel), message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void LanesThatHaveEndedAreReported()
    {
        EmulatedRuntime.Require();
        var message = Failure("exited_lanes", (run, arguments) => arguments([run.Allocate<float>(Threads)], [20]), order: 1);
        Assert.Contains(DefectRun.MarkedPlace("exited_lanes"), message, StringComparison.Ordinal);
        Assert.Contains("thread (19, 0, 0)", message, StringComparison.Ordinal);
        Assert.Contains("names lane 20, which has ended", message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void AMisalignedCopyIsReported()
    {
        EmulatedRuntime.Require();
        var message = Failure("misaligned_copy", (run, arguments) => arguments([run.Allocate<float>(128), run.Upload(new float[128])], []), threads: 32);
        Assert.Contains(DefectRun.MarkedPlace("misaligned_copy"), message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void FaultsAreReported()
    {
        EmulatedRuntime.Require();
        var absent = Failure("null_pointer", (run, arguments) => arguments([run.Allocate<float>(Threads), 0], []));
        Assert.Contains("a fault at address", absent, StringComparison.Ordinal);
        var large = Failure("large_local", (run, arguments) => arguments([run.Allocate<float>(Threads)], [1]));
        Assert.Contains("need more than its stack", large, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("unwritten_static", 0)]
    [InlineData("unwritten_dynamic", 33 * sizeof(float))]
    public void UnwrittenSharedMemoryIsNotANumber(string kernel, int sharedBytes)
    {
        EmulatedRuntime.Require();
        // Twice: the second block finds what the first left, unless it is cleared.
        Assert.True(float.IsNaN(Last(kernel)));
        Assert.Equal(1, Last(kernel + "_repaired"));
        Assert.True(float.IsNaN(Last(kernel)));

        float Last(string name)
        {
            using var run = new DefectRun();
            var y = run.Allocate<float>(32);
            run.Launch(name, new LaunchShape(1, 1, 1, 32, 1, sharedBytes), Arguments([y], []));
            return run.Download<float>(y, 32)[31];
        }
    }

    [SkippableFact]
    public void ACopyIsMadeAtTheWaitForIt()
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun();
        var values = Canal.Testing.Sample.Normal(3, 128, 0, 1);
        nint y = run.Allocate<float>(128), x = run.Upload(values);
        run.Launch("early_read", new LaunchShape(1, 32), Arguments([y, x], []));
        Assert.All(run.Download<float>(y, 128), v => Assert.True(float.IsNaN(v)));
        run.Launch("early_read_repaired", new LaunchShape(1, 32), Arguments([y, x], []));
        Assert.Equal(values, run.Download<float>(y, 128));
    }

    [SkippableTheory]
    [InlineData("missing_syncwarp", 1, 32)]
    [InlineData("shared_target", 4, 1)]
    public void OrdersOfThreadsAndBlocksDiffer(string kernel, int blocks, int values)
    {
        EmulatedRuntime.Require();
        Assert.NotEqual(Result(kernel, 0), Result(kernel, 1));
        Assert.Equal(Result(kernel + "_repaired", 0), Result(kernel + "_repaired", 1));
        Assert.Equal(Result(kernel + "_repaired", 0), Result(kernel + "_repaired", 7));

        float[] Result(string name, int order)
        {
            using var run = new DefectRun(new EmulatorOptions { Order = order });
            var y = run.Allocate<float>(32);
            run.Launch(name, new LaunchShape(blocks, 32), Arguments([y], []));
            return run.Download<float>(y, values);
        }
    }

    // What the defect's launch throws; its twin must not throw, right after it and with the same arguments.
    private static string Failure(string kernel, Action<DefectRun, Action<nint[], int[]>> prepare, int order = 0, int threads = Threads)
    {
        var message = "";
        foreach (var workers in new[] { 1, 2 })
        {
            using var run = new DefectRun(new EmulatorOptions { Order = order, Workers = workers });
            prepare(run, (pointers, integers) =>
            {
                var shape = new LaunchShape(3, threads);
                message = Assert.Throws<KernelDefectException>(() => run.Launch(kernel, shape, Arguments(pointers, integers))).Message;
                run.Launch(kernel + "_repaired", shape, Arguments(pointers, integers));
            });
            Assert.StartsWith(kernel + ": ", message, StringComparison.Ordinal);
        }
        return message;
    }

    private static KernelArguments Arguments(nint[] pointers, int[] integers)
    {
        var arguments = default(KernelArguments);
        foreach (var pointer in pointers) arguments.Add(pointer);
        foreach (var integer in integers) arguments.Add(integer);
        return arguments;
    }
}
