using Canal.Testing;

namespace Canal.Cli.Tests;

/// <summary>A simulated stream, a tiny base model, two stages and their annotations, made once by the commands themselves for all tests here.</summary>
public sealed class SimulatedStream : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private readonly Lazy<string?> killSwitch;

    public SimulatedStream()
    {
        killSwitch = new(() => Soak.KillSwitch.Build(folder.Root));
        Done("simulate", "-o", folder.Root, "--cells", "60", "--genes", "250", "--studies", "2");
        Pretraining = Done(["pretrain", Study1, "-o", Base, "--epochs", "1", .. TinyNetwork]);
        Learning1 = Done("learn", Study1, "-m", Base, "-o", Stage1, "--epochs", "6", "--rate", "0.01", "--where", "split == train", "--trainable", "all");
        Learning2 = Done("learn", Study2, "-m", Stage1, "-o", Stage2, "--epochs", "6", "--rate", "0.01", "--where", "split == train", "--trainable", "all");
        Annotating = Done("annotate", Unseen, "-m", Stage2, "-o", Annotated);
    }

    /// <summary>Geometry and panel of every model here.</summary>
    public static string[] TinyNetwork => ["--width", "16", "--blocks", "1", "--heads", "2", "--head-width", "8", "--features", "16", "--panel", "100"];

    internal CommandLineRun Pretraining { get; }

    internal CommandLineRun Learning1 { get; }

    internal CommandLineRun Learning2 { get; }

    internal CommandLineRun Annotating { get; }

    /// <summary>The library that kills a program at a change of its files; null where it cannot be built.</summary>
    internal string? KillSwitch => killSwitch.Value;

    public string Study1 => folder["study_1.h5ad"];

    public string Study2 => folder["study_2.h5ad"];

    public string Unseen => folder["study_unseen.h5ad"];

    public string StreamFile => folder["stream.json"];

    public string Base => folder["base.safetensors"];

    public string Stage1 => folder["stage1.safetensors"];

    public string Stage2 => folder["stage2.safetensors"];

    public string Annotated => folder["annotated.h5ad"];

    public void Dispose() => folder.Dispose();

    private static CommandLineRun Done(params string[] arguments)
    {
        var run = CommandLineRun.Of(arguments);
        Assert.True(run.Code == ExitCodes.Done, $"canal {string.Join(' ', arguments)} ended with {run.Code}: {run.Error}");
        return run;
    }
}

[CollectionDefinition(Name)]
public sealed class SimulatedStreamTests : ICollectionFixture<SimulatedStream>
{
    public const string Name = "simulated stream";
}
