using System.Text.Json;
using Canal.Data;
using Canal.Models;
using Canal.Planning;
using Canal.Testing;

namespace Canal.Cli.Tests;

public sealed class BenchCommandTests
{
    private static readonly string[] Small = ["--size", "small", "--panels", "40,90", "--quick", "--threads", "2", "--reading", "200"];

    [Fact]
    public void EverythingIsCheckedThenTimed()
    {
        var run = CommandLineRun.Of(["bench", "--json", .. Small]);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        var result = JsonDocument.Parse(run.Out).RootElement;
        Assert.Equal(["annotate", "annotate", "train, stage 2", "pre-train"], result.GetProperty("jobs").EnumerateArray().Select(j => j.GetProperty("name").GetString()));
        foreach (var job in result.GetProperty("jobs").EnumerateArray())
        {
            foreach (var value in (string[])["median_seconds", "p95_seconds", "seconds_per_cell", "gigaflops_per_second", "share_of_peak", "pool_bytes"])
            {
                Assert.True(job.GetProperty(value).GetDouble() > 0, value);
            }
        }
        foreach (var kernel in result.GetProperty("kernels").EnumerateArray())
        {
            Assert.InRange(kernel.GetProperty("error_of_allowed").GetDouble(), 0, 1);
            Assert.True(kernel.GetProperty("best_seconds").GetDouble() <= kernel.GetProperty("p95_seconds").GetDouble());
            Assert.InRange(kernel.GetProperty("share_of_peak").GetDouble(), 0, 1.0001);
        }
        Assert.Equal(200, Assert.Single(result.GetProperty("reading").EnumerateArray()).GetProperty("cells").GetInt32());
        Assert.Equal(0, result.GetProperty("failures").GetArrayLength());
    }

    [Fact]
    public void OneJobAloneIsStillGatedByEveryCheck()
    {
        var run = CommandLineRun.Of(["bench", "--json", "--job", "annotate", .. Small]);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        var result = JsonDocument.Parse(run.Out).RootElement;
        Assert.Equal(2, result.GetProperty("jobs").GetArrayLength());
        Assert.Contains(result.GetProperty("kernels").EnumerateArray(), k => k.GetProperty("name").GetString() == "favor_backward" && k.GetProperty("runs").ValueKind == JsonValueKind.Null);
    }

    [Fact]
    public void TheTableSaysWhatItMeansAndWhatItLeavesOut()
    {
        var run = CommandLineRun.Of(["bench", "--job", "kernels", .. Small]);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        foreach (var words in (string[])["favor_forward", "of peak", "GB/s", "Not measured"]) Assert.Contains(words, run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void AVectorWidthThatTheProcessorLacksIsRefused() => CommandLineRun.Of("bench", "--vector-bits", "384").AssertRefused("384");

    [Fact]
    public void APanelThatIsNoNumberIsRefused() => CommandLineRun.Of("bench", "--panels", "many").AssertRefused("many");

    [Fact]
    public void AccuracyIsMeasuredOnAModelsOwnActivations()
    {
        using var folder = new TemporaryFolder();
        var (model, cells) = (folder["model.safetensors"], folder["cells.safetensors"]);
        var known = StandIns.AfterStageOne(new ModelConfiguration { Genes = 30, Width = 16, Blocks = 2, Heads = 2, HeadWidth = 8, Features = 16 }, 3, 0, 1);
        ModelFile.Save(known, model);
        using (var drawn = StandIns.Cells(known.Panel, 4, 10, 1)) CellsFile.Save(drawn, cells);
        string[] command = ["bench", "--accuracy", "--model", model, "--data", cells, "--device", "cpu"];

        var run = CommandLineRun.Of([.. command, "--json"]);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        var precision = Assert.Single(JsonDocument.Parse(run.Out).RootElement.GetProperty("precisions").EnumerateArray());
        Assert.Equal(("fp32", 1.0), (precision.GetProperty("precision").GetString(), precision.GetProperty("agreement").GetDouble()));
        foreach (var block in precision.GetProperty("blocks").EnumerateArray()) Assert.InRange(block.GetProperty("attention").GetProperty("rms").GetDouble(), 1e-9, 1e-5);
        foreach (var gradient in precision.GetProperty("gradients").EnumerateArray()) Assert.InRange(gradient.GetProperty("error").GetProperty("rms").GetDouble(), 1e-9, 1e-4);
        Assert.Equal(JsonValueKind.Null, precision.GetProperty("labels").ValueKind);

        run = CommandLineRun.Of(command);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        foreach (var words in (string[])["block 1", "gene embedding", "rms of rounding", "100.00 %", "one precision"]) Assert.Contains(words, run.Out, StringComparison.Ordinal);
        CommandLineRun.Of([.. command, "--label", "cell_type"]).AssertRefused("--label");
        CommandLineRun.Of([.. command, "--precision", "fp32"]).AssertRefused("--precision");
    }

    [Fact]
    public void AStepWithoutCellsIsRefused() => CommandLineRun.Of("bench", "--batch", "0").AssertRefused("--batch");

    [SkippableFact]
    public void AccuracyNeedsAModel()
    {
        Skip.If(Repository.Root is null, "The tests run from a bundle, which has a model.");
        CommandLineRun.Of("bench", "--accuracy").AssertRefused("--model", "bundle");
    }

    [Fact]
    public void AModelWithoutAccuracyIsRefused() => CommandLineRun.Of("bench", "--model", "m.safetensors").AssertRefused("--accuracy");
}
