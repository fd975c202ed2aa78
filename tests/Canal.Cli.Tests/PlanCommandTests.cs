using System.Text.Json;

namespace Canal.Cli.Tests;

public sealed class PlanCommandTests
{
    private static readonly string[] Tiny = ["--panel", "30", "--width", "16", "--heads", "2", "--head-width", "8", "--threads", "1"];

    [Theory]
    [InlineData("annotate")]
    [InlineData("explain")]
    [InlineData("pretrain")]
    [InlineData("learn")]
    public void EveryJobIsPlanned(string job)
    {
        var run = CommandLineRun.Of(["plan", job, "--cells", "200", .. Tiny]);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        foreach (var words in (string[])["pool, at its peak", "workers' scratch", "bout ", "GFLOP/s"]) Assert.Contains(words, run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void JsonHasTheSameNumbers_AndNoTimeWhereNoneWasMeasured()
    {
        var run = CommandLineRun.Of(["plan", "learn", "--cells", "200", "--known-types", "4", "--bank", "40", "--blocks", "3", "--json", "--counts-only", .. Tiny]);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        var plan = JsonDocument.Parse(run.Out).RootElement;
        Assert.Equal("learn", plan.GetProperty("job").GetString());
        Assert.True(plan.GetProperty("pool_peak_bytes").GetInt64() > 0);
        var frozen = plan.GetProperty("frozen_outputs");
        Assert.True(frozen.GetProperty("in_memory").GetBoolean());
        Assert.Equal(240L * 31 * 16 * sizeof(float), frozen.GetProperty("bytes").GetInt64());
        Assert.Equal(3, plan.GetProperty("phases").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, plan.GetProperty("seconds").ValueKind);
    }

    [Fact]
    public void ALimitThatCannotBeKept_IsSaidBeforeAnythingRuns()
    {
        var run = CommandLineRun.Of(["plan", "pretrain", "--cells", "200", "--memory-limit", "20K", "--counts-only", .. Tiny]);
        run.AssertRefused("--memory-limit", "at least");
    }

    [Theory]
    [InlineData("annotate", "f16")]
    [InlineData("learn", "bf16")]
    public void ACardThatIsNotHereIsPlannedFor_WithoutATime(string job, string precision)
    {
        long Peak(string arithmetic)
        {
            var run = CommandLineRun.Of(["plan", job, "--cells", "200", "--json", "--device", "cuda:63", "--precision", arithmetic, .. Tiny]);
            Assert.True(run.Code == ExitCodes.Done, run.Error);
            Assert.Contains("not here", run.Error, StringComparison.Ordinal);
            var plan = JsonDocument.Parse(run.Out).RootElement;
            Assert.Equal(JsonValueKind.Null, plan.GetProperty("seconds").ValueKind);
            return plan.GetProperty("pool_peak_bytes").GetInt64();
        }
        Assert.NotEqual(Peak("fp32"), Peak(precision));
    }

    [Fact]
    public void AnUnknownJobIsRefused() => CommandLineRun.Of("plan", "dance", "--cells", "3").AssertRefused("dance", "annotate");

    [Fact]
    public void NoCellsAreRefused() => CommandLineRun.Of("plan", "annotate", "--cells", "0").AssertRefused("--cells");
}
