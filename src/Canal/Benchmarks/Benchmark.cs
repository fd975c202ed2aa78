using Canal.Engine.Devices.Cpu;
using Canal.Learning;

namespace Canal.Benchmarks;

/// <summary>
/// Measures kernels and whole jobs on the CPU: medians of repeated runs after a first one that warms up, shares of the matrix-product peak of
/// the same run. What does not pass its check is not timed, and no job is timed with a kernel that failed.
/// </summary>
public static class Benchmark
{
    /// <summary>Runs everything that the settings name.</summary>
    /// <param name="options">Threads and vectors.</param>
    /// <param name="settings">What to measure.</param>
    /// <param name="progress">Told what is measured; may be null.</param>
    /// <param name="stop">Stops between two runs.</param>
    public static BenchmarkResult Run(CpuOptions options, BenchmarkSettings settings, IProgress<LearningProgress>? progress, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(settings);
        using var device = new CpuDevice(options);
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
            var measure = new JobBenchmark(options, settings, progress, stop);
            if (settings.Job is BenchmarkJob.All or BenchmarkJob.Annotate) jobs.AddRange(settings.PanelSizes.Select(measure.Annotate));
            if (settings.Job is BenchmarkJob.All or BenchmarkJob.Train) jobs.AddRange([measure.Train(), measure.Pretrain()]);
        }
        return new BenchmarkResult(device.Workers.Threads, device.VectorBits, peak, copy, kernels, jobs, failures);
    }
}
