using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>The files that the commands write are the same whatever <c>--threads</c> and <c>--memory-limit</c> say.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class BitEqualityTests(SimulatedStream stream) : IDisposable
{
    private static readonly string[][] Ways = [["--threads", "2"], ["--threads", "3"], ["--threads", "7"], ["--threads", "2", "--memory-limit", "1G"]];
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Pretrain() => IsTheSame("base.safetensors", output => ["pretrain", stream.Study1, "-o", output, "--epochs", "2", .. SimulatedStream.TinyNetwork]);

    [Fact]
    public void LearnWithBankAndDistillation() => IsTheSame("stage2.safetensors", output => ["learn", stream.Study2, "-m", stream.Stage1, "-o", output, "--epochs", "3", "--lambda", "1"]);

    [Fact]
    public void LearnWhereTheFrozenBlocksOutputGoesToAFile()
    {
        string[] network = ["--width", "16", "--blocks", "3", "--heads", "2", "--head-width", "8", "--features", "16", "--panel", "100"];
        var model = folder["base.safetensors"];
        Done(["pretrain", stream.Study1, "-o", model, "--epochs", "1", .. network]);
        var tight = IsTheSame(
            "stage1.safetensors", output => ["learn", stream.Study1, "-m", model, "-o", output, "--epochs", "2"], ["--threads", "3"], ["--threads", "1", "--memory-limit", "5M"]);
        Assert.Contains("kept in a scratch file", tight.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".csv")]
    [InlineData(".h5ad")]
    public void Annotate(string ending) => IsTheSame("labels" + ending, output => ["annotate", stream.Unseen, "-m", stream.Stage2, "-o", output, "--cluster", "cell_type"]);

    [Fact]
    public void AnnotateByThePublishedRule() => IsTheSame("labels.csv", output => ["annotate", stream.Unseen, "-m", stream.Stage2, "-o", output, "--novelty", "file"]);

    [Fact]
    public void Explain() => IsTheSame("genes.csv", output => ["explain", stream.Unseen, "-m", stream.Stage2, "-o", output]);

    private CommandLineRun IsTheSame(string name, Func<string, string[]> command, params string[][] ways)
    {
        var output = folder[name];
        Done([.. command(output), "--threads", "1"]);
        var expected = File.ReadAllBytes(output);
        CommandLineRun? last = null;
        foreach (var way in ways.Length > 0 ? ways : Ways)
        {
            File.Delete(output);
            last = Done([.. command(output), .. way]);
            Assert.True(expected.AsSpan().SequenceEqual(File.ReadAllBytes(output)), $"{name} is another one with {string.Join(' ', way)}");
        }
        return last!;
    }

    private static CommandLineRun Done(string[] arguments)
    {
        var run = CommandLineRun.Of(arguments);
        Assert.True(run.Code == ExitCodes.Done, $"canal {string.Join(' ', arguments)} ended with {run.Code}: {run.Error}");
        return run;
    }
}
