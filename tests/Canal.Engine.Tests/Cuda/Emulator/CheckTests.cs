using Canal.Engine.Devices.Cuda;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>Checks of every load and store: a planted defect is reported with its place whatever the order of threads; its repaired twin passes.</summary>
public sealed class CheckTests
{
    private const int Values = 256;

    [SkippableTheory]
    [InlineData("missing_syncwarp", 1, 32, 0, "shared memory")]
    [InlineData("missing_barrier", 1, 64, 0, "race: reads shared memory")]
    [InlineData("one_barrier_short", 1, 64, 0, "race: ")]
    [InlineData("unwritten_static", 1, 32, 0, "of shared memory that nothing was written to")]
    [InlineData("unwritten_dynamic", 1, 32, 33 * sizeof(float), "of shared memory that nothing was written to")]
    [InlineData("beyond_dynamic", 1, 32, 32 * sizeof(float), "beyond the block's shared memory")]
    [InlineData("shared_target", 4, 32, 0, "in the same launch")]
    public void DefectsAreNamed(string kernel, int blocks, int threads, int sharedBytes, string expected)
    {
        foreach (var order in new[] { 0, 1, 5 })
        {
            // A race is seen from either side; so is a second write.
            var message = Failure(kernel, new LaunchShape(blocks, 1, 1, threads, 1, sharedBytes), order, run => Arguments(run.Allocate<float>(Values)));
            if (order == 0) Assert.Contains(expected, message, StringComparison.Ordinal);
            Assert.Contains(DefectRun.MarkedPlace(kernel), message, StringComparison.Ordinal);
        }
    }

    [SkippableTheory]
    [InlineData("beyond_static", 5, "the index 4 is outside of the array")]
    public void IndicesAreHeldToTheirArray(string kernel, int n, string expected)
    {
        var message = Failure(kernel, new LaunchShape(1, 32), 0, run =>
        {
            var arguments = Arguments(run.Allocate<float>(Values));
            arguments.Add(n);
            return arguments;
        });
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains(DefectRun.MarkedPlace(kernel), message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(true, "outside of the tensor")]
    [InlineData(false, "outside of all device memory")]
    public void ReadsBesideATensorAreNamed(bool inside, string expected)
    {
        const int n = 100;
        var message = Failure("beyond_tensor", new LaunchShape(1, 32), 0, run =>
        {
            var x = run.Upload(new float[inside ? n + 35 : n]);
            if (inside) run.Runtime.Forbid(x + (n * sizeof(float)), 35 * sizeof(float));
            var arguments = Arguments(run.Allocate<float>(Values), x);
            arguments.Add(n);
            return arguments;
        });
        Assert.Contains("reads 4 bytes " + expected, message, StringComparison.Ordinal);
        Assert.Contains(DefectRun.MarkedPlace("beyond_tensor"), message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void MisalignedLoadsAreNamed()
    {
        var message = Failure("misaligned_load", new LaunchShape(1, 32), 0, run => Arguments(run.Allocate<float>(Values), run.Upload(new float[8])));
        Assert.Contains("reads 16 bytes at an address that is not a multiple of their number", message, StringComparison.Ordinal);
        Assert.Contains(DefectRun.MarkedPlace("misaligned_load"), message, StringComparison.Ordinal);
    }

    private delegate KernelArguments Preparation(DefectRun run);

    private static string Failure(string kernel, LaunchShape shape, int order, Preparation prepare)
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun(new EmulatorOptions { Order = order }, isChecked: true);
        var arguments = prepare(run);
        var message = "";
        try
        {
            run.Launch(kernel, shape, arguments);
        }
        catch (KernelDefectException defect)
        {
            message = defect.Message;
        }
        Assert.StartsWith(kernel + ": ", message, StringComparison.Ordinal);
        run.Launch(kernel + "_repaired", shape, arguments);
        return message;
    }

    private static KernelArguments Arguments(params ReadOnlySpan<nint> pointers)
    {
        var arguments = default(KernelArguments);
        foreach (var pointer in pointers) arguments.Add(pointer);
        return arguments;
    }
}
