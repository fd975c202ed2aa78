using System.Globalization;
using System.Text.RegularExpressions;
using Canal.Benchmarks;
using Canal.Cli.Commands;
using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>--memory-limit and canal plan, against the peaks of the program as a process of its own: what <c>canal bench --job memory</c> does at full size.</summary>
public sealed class MemoryTests
{
    private const double PoolTolerance = 0.02, ProcessTolerance = 0.1;
    private static readonly string[] Job = ["plan", "learn", "--cells", "900", "--known-types", "4", "--panel", "300", "--blocks", "3", "--counts-only", "--threads", "2"];

    [SkippableFact]
    public void EveryCommandKeepsItsLimitAndItsPlan()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Peaks of a process are read as Linux tells them.");
        using var folder = new TemporaryFolder();
        var settings = new MemoryBenchSettings { Folder = folder.Root, Study = new DrawnStudySettings(1500, 8000, 2500), Limit = "160M", Geometries = false };
        var rows = new MemoryBench(settings, null, CancellationToken.None).Run();
        Assert.Equal(["inspect", "pretrain", "learn", "annotate", "evaluate", "explain", "baseline", "stream"], rows.Select(r => r.Command));
        foreach (var row in rows)
        {
            Assert.True(row.Process <= row.Limit, $"{row.Command}: {row.Process} bytes, limit {row.Limit}");
            if (row.PlannedPool is { } pool) Assert.True(Math.Abs(pool - row.Pool!.Value) <= PoolTolerance * row.Pool, $"{row.Command}: pool {row.Pool}, planned {pool}");
            if (row.PlannedProcess is { } process) Assert.True(Math.Abs(process - row.Process) <= ProcessTolerance * row.Process, $"{row.Command}: process {row.Process}, planned {process}");
        }
    }

    [Fact]
    public void TheSmallestLimitThatIsNamedWorks()
    {
        var refused = CommandLineRun.Of([.. Job, "--memory-limit", "20M"]);
        refused.AssertRefused("--memory-limit", "at least");
        var least = int.Parse(Regex.Match(refused.Error, @"at least (\d+)M").Groups[1].Value, CultureInfo.InvariantCulture);
        var works = CommandLineRun.Of([.. Job, "--memory-limit", $"{least}M"]);
        Assert.True(works.Code == ExitCodes.Done, works.Error);
        // It is searched for to a mebibyte or a 64th.
        CommandLineRun.Of([.. Job, "--memory-limit", $"{least - 4}M"]).AssertRefused($"at least {least}M");
    }

    [Fact]
    public void FrozenOutputsLeaveThePoolWhereTheLimitIsShort()
    {
        Assert.Contains("within the peak", CommandLineRun.Of(Job).Out, StringComparison.Ordinal);
        var least = CommandLineRun.Of([.. Job, "--memory-limit", "20M"]).Error;
        var tight = CommandLineRun.Of([.. Job, "--memory-limit", Regex.Match(least, @"at least (\d+M)").Groups[1].Value]);
        Assert.Contains("in a scratch file", tight.Out, StringComparison.Ordinal);
    }
}
