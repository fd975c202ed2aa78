using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Learning;

namespace Canal.Benchmarks;

/// <summary>
/// Measures kernels and whole jobs on a device: medians of repeated runs after a first one that warms up, shares of the matrix-product peak of
/// the same run. What does not pass its check is not timed, and no job is timed with a kernel that failed.
/// </summary>
public static class Benchmark
{
    /// <summary>Runs everything that the settings name.</summary>
    /// <param name="open">Opens the device; every job gets one of its own, so that its memory is its own.</param>
    /// <param name="settings">What to measure.</param>
    /// <param name="progress">Told what is measured; may be null.</param>
    /// <param name="stop">Stops between two runs.</param>
    public static BenchmarkResult Run(Func<Device> open, BenchmarkSettings settings, IProgress<LearningProgress>? progress, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentNullException.ThrowIfNull(settings);
        using var device = open();
        var bench = new KernelBenchmark(device, settings, progress, stop);
        var kernels = new List<KernelResult>(bench.Products());
        var peak = kernels.Where(k => k.Timing is not null).Select(k => 1e-9 * k.Flops / k.Timing!.Best).DefaultIfEmpty(double.NaN).Max();
        var copy = bench.CopyGigabytesPerSecond();
        // Jobs are gated by the checks of every kernel; the kernels' times are wanted only where they were asked for.
        kernels.AddRange(settings.Job is BenchmarkJob.All or BenchmarkJob.Kernels ? bench.Others() : bench.ChecksOfOthers());
        device.Memory.Trim();
        var failures = kernels.Where(k => !k.Check.Passed).Select(k => $"{k.Name} fails its check against {k.Check.Against}").Distinct(StringComparer.Ordinal).ToList();
        var jobs = new List<JobResult>();
        if (failures.Count == 0)
        {
            var measure = new JobBenchmark(open, settings, progress, stop);
            if (settings.Job is BenchmarkJob.All or BenchmarkJob.Annotate) jobs.AddRange(settings.PanelSizes.Select(measure.Annotate));
            if (settings.Job is BenchmarkJob.All or BenchmarkJob.Train) jobs.AddRange([measure.Train(), measure.Pretrain()]);
        }
        var cpu = device as CpuDevice;
        return new BenchmarkResult(device.Description, cpu?.Workers.Threads, cpu?.VectorBits, peak, copy, kernels, jobs, failures);
    }
}
