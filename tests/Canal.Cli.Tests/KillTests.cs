using Canal.Data;
using Canal.Models;
using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>Ctrl-C and kill -9, on the program as a process: nothing is ever half written, and the same command goes on to the same bits.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class KillTests(SimulatedStream stream) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [SkippableFact]
    public void LearnGoesOnAfterKillAndCtrlC() => GoesOnAfterKillAndCtrlC("epoch 5:", output => Learn(output));

    [SkippableFact]
    public void PretrainGoesOnAfterKillAndCtrlC() => GoesOnAfterKillAndCtrlC(
        "epoch 5:", output => ["pretrain", stream.Study1, "-o", output, "--epochs", "40", "--patience", "50", .. SimulatedStream.TinyNetwork]);

    [SkippableFact]
    public void AStreamGoesOnAfterCtrlCAndKill()
    {
        Skip.If(OperatingSystem.IsWindows(), "There is no SIGINT to send here.");
        var plan = folder["plan.json"];
        File.WriteAllText(plan, $$$"""
            {"model": {"width": 16, "blocks": 1, "heads": 2, "head_width": 8, "features": 16}, "genes": {"panel": 100}, "learning": {"max_epochs": 40, "patience": 50},
             "stages": [{"data": {{{System.Text.Json.JsonSerializer.Serialize(stream.Study1)}}}}, {"data": {{{System.Text.Json.JsonSerializer.Serialize(stream.Study2)}}}}]}
            """);
        var whole = CommandLineRun.Of("stream", plan, "-o", folder["whole"]);
        Assert.True(whole.Code == ExitCodes.Done, whole.Error);
        using (var program = new ProgramProcess("stream", plan, "-o", folder["parts"]))
        {
            program.WaitFor("stage 2 of 2");
            program.WaitUntil(() => program.Error.IndexOf("epoch 2:", program.Error.IndexOf("stage 2 of 2", StringComparison.Ordinal), StringComparison.Ordinal) > 0);
            program.Interrupt();
            Assert.True(program.Wait() == ExitCodes.Interrupted, program.Error);
            Assert.Contains(folder["parts"], program.Error, StringComparison.Ordinal);
        }
        using (var program = new ProgramProcess("stream", plan, "-o", folder["parts"]))
        {
            program.WaitFor("epoch 15:");
            program.Kill();
        }
        Assert.False(File.Exists(folder["parts/matrix.json"]));
        var rest = CommandLineRun.Of("stream", plan, "-o", folder["parts"]);
        Assert.True(rest.Code == ExitCodes.Done, rest.Error);

        foreach (var file in Directory.GetFiles(folder["whole"], "*.safetensors", SearchOption.AllDirectories).Append(folder["whole/matrix.json"]))
        {
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(file.Replace(folder["whole"], folder["parts"], StringComparison.Ordinal))), file);
        }
        Assert.Empty(Directory.GetDirectories(folder["parts"], "*.partial", SearchOption.AllDirectories));
    }

    [Fact]
    public void AStopBeforeTheWritingLeavesTheOldOutput()
    {
        using var bad = new BadInput();
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        foreach (var command in new string[][]
        {
            Annotate(bad.Out("old.h5ad")), Annotate(bad.Out("old.csv")), Learn(bad.Out("old.safetensors")), ["explain", stream.Unseen, "-m", stream.Stage2, "-o", bad.Out("old.csv")],
            ["pretrain", stream.Study1, "-o", bad.Out("old.safetensors"), .. SimulatedStream.TinyNetwork], ["simulate", "-o", bad.Out("studies"), "--cells", "60", "--genes", "250"],
            ["stream", stream.StreamFile, "-o", bad.Out("results")], ["baseline", stream.StreamFile],
        })
        {
            var run = CommandLineRun.Of(stop.Token, command);
            Assert.True(run.Code == ExitCodes.Interrupted, $"{command[0]} ended with {run.Code}: {run.Error}");
            Assert.Empty(run.Out);
        }
        foreach (var old in new[] { "old.h5ad", "old.csv", "old.safetensors" }) Assert.Equal("an output of yesterday", File.ReadAllText(bad.Out(old)));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(bad.Out("old.csv"))!, ".*.tmp"));
    }

    [Fact]
    public void LearnSurvivesKills()
    {
        var output = folder["model.safetensors"];
        File.Copy(stream.Stage1, output);
        var old = File.ReadAllBytes(output);
        var expected = Whole(Learn(folder["whole.safetensors"]), folder["whole.safetensors"]);
        bool Writing() => Directory.EnumerateFiles(folder.Root, ".*.tmp", SearchOption.AllDirectories).Any();
        foreach (var moment in new[] { "matrix X", "epoch 1:", "a state half written", "epoch 25:" })
        {
            using var program = new ProgramProcess(Learn(output));
            if (moment.StartsWith("a state", StringComparison.Ordinal)) program.WaitUntil(Writing);
            else program.WaitFor(moment);
            program.Kill();
            var left = File.ReadAllBytes(output);
            Assert.True(left.AsSpan().SequenceEqual(old) || left.AsSpan().SequenceEqual(expected), $"killed at '{moment}': the output is neither the old nor the new one");
            ModelFile.Load(output);
        }
        var last = CommandLineRun.Of(Learn(output));

        Assert.True(last.Code == ExitCodes.Done, last.Error);
        Assert.True(File.ReadAllBytes(output).AsSpan().SequenceEqual(expected));
        Assert.Equal([output, folder["whole.safetensors"]], Directory.GetFileSystemEntries(folder.Root).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AnnotateSurvivesKills()
    {
        var output = folder["labelled.h5ad"];
        File.Copy(stream.Annotated, output);
        var old = File.ReadAllBytes(output);
        var expected = Whole(Annotate(folder["whole.h5ad"]), folder["whole.h5ad"]);
        bool Writing() => Directory.EnumerateFiles(folder.Root, ".labelled.h5ad.*.tmp").Any();
        foreach (var wait in new Action<ProgramProcess>[] { p => p.WaitFor("matrix X"), p => p.WaitFor("matched"), p => p.WaitUntil(Writing) })
        {
            using var program = new ProgramProcess(Annotate(output));
            wait(program);
            program.Kill();
            var left = File.ReadAllBytes(output);
            Assert.True(left.AsSpan().SequenceEqual(old) || left.AsSpan().SequenceEqual(expected), "the output is neither the old nor the new one");
            using var opened = ExpressionFiles.Open(output);
            Assert.Equal(60, opened.ReadObs("canal_cell_type").Values.Count);
        }
        var last = CommandLineRun.Of(Annotate(output));

        Assert.True(last.Code == ExitCodes.Done, last.Error);
        Assert.True(File.ReadAllBytes(output).AsSpan().SequenceEqual(expected));
        Assert.Equal([output, folder["whole.h5ad"]], Directory.GetFileSystemEntries(folder.Root).Order(StringComparer.Ordinal));
    }

    private string[] Learn(string output) =>
        ["learn", stream.Study2, "-m", stream.Stage1, "-o", output, "--epochs", "40", "--patience", "50", "--trainable", "all", "--stage-name", "two"];

    private string[] Annotate(string output) => ["annotate", stream.Study2, "-m", stream.Stage2, "-o", output];

    private void GoesOnAfterKillAndCtrlC(string moment, Func<string, string[]> command)
    {
        Skip.If(OperatingSystem.IsWindows(), "There is no SIGINT to send here.");
        var (output, partial) = (folder["model.safetensors"], folder["model.safetensors.partial"]);
        var expected = Whole(command(folder["whole.safetensors"]), folder["whole.safetensors"]);
        using (var program = new ProgramProcess(command(output)))
        {
            program.WaitFor("epoch 1:");
            program.Kill();
        }
        Assert.False(File.Exists(output));
        using (var program = new ProgramProcess(command(output)))
        {
            program.WaitFor(moment);
            program.Interrupt();
            Assert.True(program.Wait() == ExitCodes.Interrupted, program.Error);
            Assert.Contains(partial, program.Error, StringComparison.Ordinal);
        }
        Assert.True(Directory.Exists(partial));
        Assert.False(File.Exists(output));
        var rest = CommandLineRun.Of(command(output));

        Assert.True(rest.Code == ExitCodes.Done, rest.Error);
        Assert.Contains("going on from", rest.Error, StringComparison.Ordinal);
        Assert.True(File.ReadAllBytes(output).AsSpan().SequenceEqual(expected));
        Assert.False(Directory.Exists(partial));
    }

    private static byte[] Whole(string[] command, string output)
    {
        var run = CommandLineRun.Of(command);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        return File.ReadAllBytes(output);
    }
}
