using System.Globalization;
using System.Runtime.InteropServices;
using Canal.Benchmarks;
using Canal.Cli.Terminal;
using static System.FormattableString;

namespace Canal.Cli.Commands;

/// <summary>How a benchmark's results are said.</summary>
internal static class BenchReport
{
    /// <summary>The results as JSON takes them.</summary>
    public static object Document(BenchmarkResult result, IReadOnlyList<ReadingResult> reading) => new
    {
        Machine = new
        {
            result.Device,
            Processor = Machine.Processor(),
            Cores = Environment.ProcessorCount,
            result.Threads,
            result.VectorBits,
            System = RuntimeInformation.OSDescription,
            Runtime = RuntimeInformation.FrameworkDescription,
            Canal = Help.Version(),
        },
        result.PeakGigaflopsPerSecond,
        result.CopyGigabytesPerSecond,
        Kernels = result.Kernels.Select(k => new
        {
            k.Name,
            k.Size,
            CheckedAgainst = k.Check.Against,
            ErrorOfAllowed = k.Check.Error,
            k.Flops,
            k.Bytes,
            k.Timing?.Runs,
            MedianSeconds = k.Timing?.Median,
            P95Seconds = k.Timing?.P95,
            BestSeconds = k.Timing?.Best,
            k.GigaflopsPerSecond,
            ShareOfPeak = k.GigaflopsPerSecond / result.PeakGigaflopsPerSecond,
            k.GigabytesPerSecond,
            ShareOfLimit = result.Threads is null ? result.ShareOfLimit(k) : (double?)null,
        }),
        Jobs = result.Jobs.Select(j => new
        {
            j.Name,
            j.Tokens,
            j.Cells,
            j.Timing.Runs,
            MedianSeconds = j.Timing.Median,
            P95Seconds = j.Timing.P95,
            BestSeconds = j.Timing.Best,
            j.SecondsPerCell,
            CellsPerSecond = 1 / j.SecondsPerCell,
            j.Flops,
            j.GigaflopsPerSecond,
            ShareOfPeak = j.GigaflopsPerSecond / result.PeakGigaflopsPerSecond,
            j.Memory.PoolBytes,
            j.Memory.WorkerScratchBytes,
            PeakProcessBytes = j.Memory.ProcessBytes,
        }),
        Reading = ReadingReport.Document(reading),
        result.Failures,
        BenchmarkResult.NotMeasured,
    };

    /// <summary>The results for people.</summary>
    public static void Write(TextWriter output, BenchmarkResult result)
    {
        output.WriteLine(Invariant($"{Machine.Processor()}, {Environment.ProcessorCount} cores; device: {result.Device}; canal {Help.Version()}, {RuntimeInformation.FrameworkDescription}"));
        output.WriteLine(Invariant($"Peak of this run: {result.PeakGigaflopsPerSecond:F0} GFLOP/s (fastest product, at its best); a copy{(result.Threads is null ? "" : " on one thread")} moves {result.CopyGigabytesPerSecond:F1} GB/s."));
        if (result.Jobs.Count > 0)
        {
            TextTable.Write(output, ["job", "tokens", "cells", "runs", "median", "p95", "best", "a cell", "cells/s", "GFLOP/s", "of peak", "pool", "scratch", "process"], result.Jobs.Select(j => (IReadOnlyList<string>)
            [
                j.Name + ", " + j.Unit,
                j.Tokens.ToString("N0", CultureInfo.InvariantCulture),
                j.Cells.ToString(CultureInfo.InvariantCulture),
                j.Timing.Runs.ToString(CultureInfo.InvariantCulture),
                Seconds(j.Timing.Median),
                Seconds(j.Timing.P95),
                Seconds(j.Timing.Best),
                Seconds(j.SecondsPerCell),
                Invariant($"{1 / j.SecondsPerCell:G3}"),
                Invariant($"{j.GigaflopsPerSecond:F0}"),
                Share(j.GigaflopsPerSecond, result),
                Sizes.Format(j.Memory.PoolBytes),
                Sizes.Format(j.Memory.WorkerScratchBytes),
                j.Memory.ProcessBytes is { } bytes ? Sizes.Format(bytes) : "n/a",
            ]));
        }
        var timed = result.Kernels.Where(k => k.Timing is not null || !k.Check.Passed).ToList();
        TextTable.Write(output, ["kernel", "size", "runs", "median", "p95", "GFLOP/s", "of peak", "GB/s", .. OnCards(result, "of limit"), "error of allowed"], timed.Select(k => (IReadOnlyList<string>)
        [
            k.Name,
            k.Size,
            k.Timing is null ? "refused" : k.Timing.Runs.ToString(CultureInfo.InvariantCulture),
            k.Timing is null ? "-" : Seconds(k.Timing.Median),
            k.Timing is null ? "-" : Seconds(k.Timing.P95),
            k.Timing is null ? "-" : Invariant($"{k.GigaflopsPerSecond:F0}"),
            k.Timing is null ? "-" : Share(k.GigaflopsPerSecond, result),
            k.Timing is null ? "-" : Invariant($"{k.GigabytesPerSecond:F1}"),
            .. OnCards(result, k.Timing is null ? "-" : Invariant($"{100 * result.ShareOfLimit(k):F0} %")),
            Invariant($"{k.Check.Error:F3}"),
        ]));
        output.WriteLine("Every kernel passed its check (float64, differences in float64, or the bits of its single operations) on this device before it was timed.");
        output.WriteLine("pool: high-water mark of tensors; scratch: the workers' part of it; process: most resident memory, the program included.");
        output.WriteLine("Not measured: " + string.Join("; ", BenchmarkResult.NotMeasured) + ".");
    }

    // A processor's copy runs on one thread and its kernels on all: no limit to state.
    private static string[] OnCards(BenchmarkResult result, string cell) => result.Threads is null ? [cell] : [];

    private static string Seconds(double seconds) => seconds < 0.001 ? Invariant($"{1e6 * seconds:F0} us") : seconds < 1 ? Invariant($"{1000 * seconds:G3} ms") : Invariant($"{seconds:G4} s");

    private static string Share(double rate, BenchmarkResult result) => Invariant($"{100 * rate / result.PeakGigaflopsPerSecond:F0} %");
}
