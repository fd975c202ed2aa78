using Canal.Testing;

namespace Canal.Cli.Tests.Soak;

/// <summary>Kills at the one moment that matters: what a program leaves between two of its last steps must not be taken for more, or less, than it is.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class AimedKillTests(SimulatedStream stream) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [SkippableTheory]
    [InlineData("unlink *seed-1/base.safetensors.partial/state.safetensors")]
    [InlineData("unlink *stage-1-one.safetensors.partial/state.safetensors")]
    public void WhatIsFinishedButNotTidiedAwayIsTidiedByTheNextRun(string moment)
    {
        string[] command = ["stream", Plan("plan.json"), "-o", folder["out"]];
        KilledAt(moment, command);
        Assert.Single(Directory.GetFiles(folder.Root, "state.safetensors", SearchOption.AllDirectories));

        Done(command);
        Assert.Empty(Directory.GetDirectories(folder["out"], "*.partial", SearchOption.AllDirectories));
    }

    // Killed between a model and what vouches for it, the earlier run's must not vouch for the later one's. The first base has no stage after it yet,
    // whose scores would tell that it is another.
    [SkippableTheory]
    [InlineData("open */full/stage-1-one.log", 0.002, 0.001, "open */seed-1/.base.identity.*")]
    [InlineData(null, 0.001, 0.002, "open */full/.stage-1-one.json.*")]
    public void ARestartWithOtherSettingsIsNeverTakenForTheRunBeforeIt(string? first, double pretrainingRate, double rate, string moment)
    {
        var plan = Plan("plan.json");
        Done(["stream", plan, "-o", folder["whole"]]);
        string[] command = ["stream", plan, "-o", folder["out"]];
        if (first is null) Done(command);
        else KilledAt(first, command);
        KilledAt(moment, ["stream", Plan("other.json", pretrainingRate, rate), "-o", folder["out"], "--restart"]);
        var run = CommandLineRun.Of(command);
        if (run.Code != ExitCodes.Done)
        {
            run.AssertRefused("--restart");
            Done([.. command, "--restart"]);
        }
        foreach (var model in Directory.GetFiles(folder["whole"], "*.safetensors", SearchOption.AllDirectories))
        {
            Assert.True(File.ReadAllBytes(model).AsSpan().SequenceEqual(File.ReadAllBytes(model.Replace(folder["whole"], folder["out"], StringComparison.Ordinal))), model);
        }
    }

    private void KilledAt(string moment, string[] command)
    {
        Skip.If(stream.KillSwitch is null, "g++ is not on this machine, or it is not Linux");
        using var program = new ProgramProcess(KillSwitch.Environment(stream.KillSwitch, folder["kill"], 1, folder.Root, moment), command);
        Assert.True(program.Wait() == ProgramProcess.KilledCode, $"it was not killed at '{moment}': {program.Error}");
        Assert.NotNull(KillSwitch.KilledAt(folder["kill"]));
    }

    private static void Done(string[] command)
    {
        var run = CommandLineRun.Of(command);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
    }

    private string Plan(string name, double pretrainingRate = 0.001, double rate = 0.001)
    {
        File.WriteAllText(folder[name], System.Text.Json.JsonSerializer.Serialize(new
        {
            @base = new { pretrain = new { max_epochs = 1, rate = pretrainingRate } },
            model = new { width = 16, blocks = 1, heads = 2, head_width = 8, features = 16 },
            genes = new { panel = 100 },
            learning = new { max_epochs = 1, rate },
            stages = new[] { new { name = "one", data = stream.Study1 } },
        }));
        return folder[name];
    }
}
