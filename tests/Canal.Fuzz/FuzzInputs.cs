using Canal.Cli;
using Canal.Data;

namespace Canal.Fuzz;

/// <summary>The sound files that inputs are made from: simulated studies, models of every kind made from them, and the small files of other encodings.</summary>
internal sealed class FuzzInputs
{
    private readonly string folder;

    /// <summary>Makes the files by the program's own commands.</summary>
    public FuzzInputs(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder);
        Done("simulate", "-o", folder, "--cells", "60", "--genes", "250", "--studies", "2", "--seed", "1");
        Done(["pretrain", Study1, "-o", Base, "--epochs", "1", .. TinyNetwork]);
        Done("learn", Study1, "-m", Base, "-o", Stage1, "--epochs", "2", "--where", "split == train");
        Done("annotate", Unseen, "-m", Stage1, "-o", Annotated);
        Done("bench", "--accuracy", "--device", "cpu", "-m", Stage1, "--data", Unseen, "--save-cells", Cells);
        using (var study = ExpressionFiles.Open(Study1))
        {
            File.WriteAllLines(GeneList, study.GeneNames("X"));
            Contents = () =>
            {
                using var fresh = ExpressionFiles.Open(Study1);
                return H5adContents.Of(fresh);
            };
        }
        Interrupt();
        H5ads = [Study1, Unseen, Annotated, .. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "fixtures", "h5ad"), "*.h5ad").Order(StringComparer.Ordinal)];
    }

    /// <summary>Sizes of every network here, and of those that are begun on an input.</summary>
    public static string[] TinyNetwork => ["--width", "16", "--blocks", "1", "--heads", "2", "--head-width", "8", "--features", "16", "--panel", "60"];

    public string Study1 => Path.Combine(folder, "study_1.h5ad");

    public string Unseen => Path.Combine(folder, "study_unseen.h5ad");

    public string Base => Path.Combine(folder, "base.safetensors");

    public string Stage1 => Path.Combine(folder, "stage1.safetensors");

    public string Annotated => Path.Combine(folder, "annotated.h5ad");

    public string Cells => Path.Combine(folder, "cells.safetensors");

    public string GeneList => Path.Combine(folder, "genes.txt");

    /// <summary>What an interrupted <c>learn</c> left.</summary>
    public string State => Path.Combine(folder, "state.safetensors");

    /// <summary>Files whose bytes are damaged.</summary>
    public IReadOnlyList<string> H5ads { get; }

    /// <summary>The contents of a study, afresh.</summary>
    public Func<H5adContents> Contents { get; }

    /// <summary>The command that was interrupted, without its output.</summary>
    public string[] LearnCommand => ["learn", Study1, "-m", Base, "--epochs", "3", "--where", "split == train"];

    private void Interrupt()
    {
        using var stop = new CancellationTokenSource();
        var output = Path.Combine(folder, "interrupted.safetensors");
        using var error = new StoppingWriter("epoch 1:", stop);
        var code = Cli.Program.Run([.. LearnCommand, "-o", output], new CommandContext(TextWriter.Null, error, stop.Token) { Interactive = false });
        if (code != 130) throw new InvalidOperationException($"learn was to be interrupted but ended with {code}: {error}");
        File.Copy(Path.Combine(output + ".partial", "state.safetensors"), State, overwrite: true);
        Directory.Delete(output + ".partial", recursive: true);
    }

    private static void Done(params string[] arguments)
    {
        using var error = new StringWriter();
        var code = Cli.Program.Run(arguments, new CommandContext(TextWriter.Null, error, CancellationToken.None) { Interactive = false });
        if (code != 0) throw new InvalidOperationException($"canal {string.Join(' ', arguments)} ended with {code}: {error}");
    }

    /// <summary>Asks to stop once a text was written.</summary>
    private sealed class StoppingWriter(string text, CancellationTokenSource stop) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value is not null && value.Contains(text, StringComparison.Ordinal)) stop.Cancel();
        }
    }
}
