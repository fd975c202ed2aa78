using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>The files that the commands write are the same whatever <c>--threads</c> and <c>--memory-limit</c> say.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class BitEqualityTests(SimulatedStream stream) : IDisposable
{
    private static readonly string[][] Ways = [["--threads", "2"], ["--threads", "3"], ["--threads", "7"], ["--threads", "2", "--memory-limit", "250M"]];
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Pretrain() => IsTheSame("base.safetensors", output => ["pretrain", stream.Study1, "-o", output, "--epochs", "2", .. SimulatedStream.TinyNetwork]);

    [Fact]
    public void LearnWithBankAndDistillation() => IsTheSame("stage2.safetensors", output => ["learn", stream.Study2, "-m", stream.Stage1, "-o", output, "--epochs", "3", "--lambda", "1"]);

    [Theory]
    [InlineData(".csv")]
    [InlineData(".h5ad")]
    public void Annotate(string ending) => IsTheSame("labels" + ending, output => ["annotate", stream.Unseen, "-m", stream.Stage2, "-o", output, "--cluster", "cell_type"]);

    [Fact]
    public void AnnotateByThePublishedRule() => IsTheSame("labels.csv", output => ["annotate", stream.Unseen, "-m", stream.Stage2, "-o", output, "--novelty", "file"]);

    [Fact]
    public void Explain() => IsTheSame("genes.csv", output => ["explain", stream.Unseen, "-m", stream.Stage2, "-o", output]);

    private void IsTheSame(string name, Func<string, string[]> command)
    {
        var output = folder[name];
        Done([.. command(output), "--threads", "1"]);
        var expected = File.ReadAllBytes(output);
        foreach (var way in Ways)
        {
            File.Delete(output);
            Done([.. command(output), .. way]);
            Assert.True(expected.AsSpan().SequenceEqual(File.ReadAllBytes(output)), $"{name} is another one with {string.Join(' ', way)}");
        }
    }

    private static void Done(string[] arguments)
    {
        var run = CommandLineRun.Of(arguments);
        Assert.True(run.Code == ExitCodes.Done, $"canal {string.Join(' ', arguments)} ended with {run.Code}: {run.Error}");
    }
}
