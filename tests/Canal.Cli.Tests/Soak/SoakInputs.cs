using System.Text.Json;

namespace Canal.Cli.Tests.Soak;

/// <summary>Simulated studies and small models for the soak, and the commands that it kills.</summary>
internal sealed class SoakInputs
{
    private static readonly string[] Network = ["--width", "16", "--blocks", "3", "--heads", "2", "--head-width", "8", "--features", "16", "--panel", "100"];
    private readonly string folder;
    private readonly int epochs;

    /// <summary>Makes the inputs.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="epochs">Epochs of the runs that are killed.</param>
    public SoakInputs(string folder, int epochs)
    {
        (this.folder, this.epochs) = (folder, epochs);
        Done("simulate", "-o", folder, "--cells", "60", "--genes", "250", "--studies", "2");
        Done(["pretrain", Path("study_1.h5ad"), "-o", Path("base.safetensors"), "--epochs", "2", .. Network]);
        Done("learn", Path("study_1.h5ad"), "-m", Path("base.safetensors"), "-o", Path("stage1.safetensors"), "--epochs", "3", "--rate", "0.01", "--trainable", "all");
        Done("learn", Path("study_1.h5ad"), "-m", Path("base.safetensors"), "-o", Path("other.safetensors"), "--epochs", "1");
        Done("annotate", Path("study_2.h5ad"), "-m", Path("other.safetensors"), "-o", Path("old.h5ad"));
        Done("annotate", Path("study_2.h5ad"), "-m", Path("other.safetensors"), "-o", Path("old.csv"));
        File.WriteAllText(Path("plan.json"), $$$"""
            {"name": "soak", "base": {"pretrain": {"max_epochs": {{{epochs / 3}}}}}, "genes": {"panel": 100},
             "model": {"width": 16, "blocks": 2, "heads": 2, "head_width": 8, "features": 16},
             "learning": {"max_epochs": {{{epochs / 3}}}, "patience": 100, "bank": 30, "trainable": "all"},
             "stages": [{"name": "one", "data": {{{Quoted("study_1.h5ad")}}}, "where": "split == train"}, {"name": "two", "data": {{{Quoted("study_2.h5ad")}}}, "where": "split == train"}],
             "tests": [{"name": "one", "stage": 1, "data": {{{Quoted("study_1.h5ad")}}}, "where": "split == test"}, {"name": "unseen", "data": {{{Quoted("study_unseen.h5ad")}}}}]}
            """);
        Done("stream", Path("plan.json"), "-o", Path("old-results"));
    }

    /// <summary>The commands: the first four are one of each kind.</summary>
    public IReadOnlyList<SoakJob> Jobs =>
    [
        new("pretrain", output => ["pretrain", Path("study_1.h5ad"), "-o", In(output, "model.safetensors"), "--epochs", Epochs, "--patience", "100", .. Network], Old("other.safetensors", "model.safetensors")),
        new("learn", Learn, Old("other.safetensors", "model.safetensors")),
        new("stream", output => ["stream", Path("plan.json"), "-o", In(output, "results")], null),
        new("annotate, .h5ad", output => Annotate(In(output, "labelled.h5ad")), Old("old.h5ad", "labelled.h5ad")),
        new("annotate, .csv", output => Annotate(In(output, "labels.csv")), Old("old.csv", "labels.csv")),
        new("stream, over an older run", output => ["stream", Path("plan.json"), "-o", In(output, "results"), "--ablate", "fine-tune,joint"], output => Copy(Path("old-results"), In(output, "results"))),
    ];

    /// <summary>What no run may change.</summary>
    public string Folder => folder;

    private string Epochs => epochs.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private string Path(string name) => System.IO.Path.Combine(folder, name);

    private static string In(string output, string name) => System.IO.Path.Combine(output, name);

    private string Quoted(string name) => JsonSerializer.Serialize(Path(name));

    private string[] Learn(string output) =>
        ["learn", Path("study_2.h5ad"), "-m", Path("stage1.safetensors"), "-o", In(output, "model.safetensors"), "--epochs", Epochs, "--patience", "100", "--stage-name", "two"];

    private string[] Annotate(string output) => ["annotate", Path("study_2.h5ad"), "-m", Path("stage1.safetensors"), "-o", output];

    private Action<string> Old(string name, string output) => folder => File.Copy(Path(name), In(folder, output));

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories)) Directory.CreateDirectory(directory.Replace(from, to, StringComparison.Ordinal));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories)) File.Copy(file, file.Replace(from, to, StringComparison.Ordinal));
    }

    private static void Done(params string[] arguments)
    {
        var run = CommandLineRun.Of(arguments);
        Assert.True(run.Code == ExitCodes.Done, $"canal {string.Join(' ', arguments)} ended with {run.Code}: {run.Error}");
    }
}
