using System.Text;
using System.Text.Json;

namespace Canal.Fuzz;

/// <summary>Makes input number N of a seed: the same N and seed, the same input, whatever ran before.</summary>
internal sealed class FuzzCases(FuzzInputs inputs, FuzzSettings settings)
{
    /// <summary>Shares of the kinds, in percent.</summary>
    private static readonly (FuzzKind Kind, int Share)[] shares =
        [(FuzzKind.H5adBytes, 36), (FuzzKind.H5adContents, 20), (FuzzKind.Model, 20), (FuzzKind.Stream, 10), (FuzzKind.Cells, 5), (FuzzKind.Genes, 4), (FuzzKind.State, 5)];

    private const int OneInSoManyAsCommandLine = 25, OneInSoManySound = 50;
    private bool sound;

    /// <summary>Makes an input in a folder of its own.</summary>
    public FuzzCase Make(int index)
    {
        var random = new Random(unchecked((settings.Seed * 1_000_003) ^ (index * 7919)));
        var folder = Path.Combine(settings.Keep, $"input-{index}");
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        var place = random.Next(100);
        var kind = shares.First(share => (place -= share.Share) < 0).Kind;
        var asCommandLine = settings.Program is not null && random.Next(OneInSoManyAsCommandLine) == 0;
        // Of a stream file even a sound one is refused: see there.
        sound = kind != FuzzKind.Stream && random.Next(OneInSoManySound) == 0;
        var (source, arguments, output) = kind switch
        {
            FuzzKind.H5adBytes => H5adBytes(folder, random),
            FuzzKind.H5adContents => H5adContents(folder, random),
            FuzzKind.Model => Model(folder, random),
            FuzzKind.Stream => Stream(folder, random),
            FuzzKind.Cells => Cells(folder, random),
            FuzzKind.Genes => Genes(folder, random),
            _ => State(folder, random),
        };
        return new FuzzCase(index, kind, folder, sound ? source + ", sound" : source, arguments, output, asCommandLine) { IsSound = sound };
    }

    private (string, string[], string?) H5adBytes(string folder, Random random)
    {
        // Some of the small files are there to be refused.
        var source = sound ? inputs.Study1 : inputs.H5ads[random.Next(inputs.H5ads.Count)];
        var file = Put(folder, "input.h5ad", Damaged(source, random, ByteMutation.OfBinary));
        // The small files of other encodings have seven genes that no model knows, and the labels in another column.
        var small = source != inputs.Study1 && source != inputs.Unseen && source != inputs.Annotated;
        var (arguments, output) = source == inputs.Annotated && random.Next(2) == 0 ? (["evaluate", file, "--truth", "cell_type"], null) : small ? OnSmallFile(file, folder, random) : OnStudy(file, folder, random);
        return (Path.GetFileName(source) + ", bytes", arguments, output);
    }

    private (string, string[], string?) H5adContents(string folder, Random random)
    {
        var contents = inputs.Contents();
        var what = sound ? "contents" : contents.Spoil(random);
        var file = Path.Combine(folder, "input.h5ad");
        contents.Write(file);
        var (arguments, output) = OnStudy(file, folder, random);
        return (what, arguments, output);
    }

    private (string[] Arguments, string? Output) OnStudy(string file, string folder, Random random)
    {
        string Out(string name) => Path.Combine(folder, name);
        return random.Next(12) switch
        {
            < 3 => (["inspect", file], null),
            3 => (["inspect", file, "--json", "-m", inputs.Stage1], null),
            < 7 => (["annotate", file, "-m", inputs.Stage1, "-o", Out("out.h5ad")], Out("out.h5ad")),
            7 => (["annotate", file, "-m", inputs.Stage1, "-o", Out("out.csv"), "--novelty", "file"], Out("out.csv")),
            8 => (["learn", file, "-m", inputs.Base, "-o", Out("out.safetensors"), "--epochs", "1", "--skip-unlabelled"], Out("out.safetensors")),
            9 => (["pretrain", file, "-o", Out("out.safetensors"), "--epochs", "1", .. FuzzInputs.TinyNetwork], Out("out.safetensors")),
            10 => (["explain", file, "-m", inputs.Stage1, "-o", Out("out.csv"), "--by", "cell_type"], Out("out.csv")),
            _ => (["baseline", file, "--test", inputs.Unseen, "--features", "log", "-c", "1", "--panel", "30"], null),
        };
    }

    private static (string[] Arguments, string? Output) OnSmallFile(string file, string folder, Random random)
    {
        var output = Path.Combine(folder, "out.safetensors");
        return random.Next(3) switch
        {
            0 => (["inspect", file], null),
            1 => (["inspect", file, "--json"], null),
            _ => (["learn", file, "--from-scratch", "--label", "type", "--skip-unlabelled", "-o", output, "--epochs", "1", .. FuzzInputs.TinyNetwork.SkipLast(1), "5"], output),
        };
    }

    private (string, string[], string?) Model(string folder, Random random)
    {
        var source = random.Next(3) == 0 && !sound ? inputs.Base : inputs.Stage1; // a base model knows no types to label with
        var file = Put(folder, "input.safetensors", Damaged(source, random, SafetensorsMutation.Of));
        string Out(string name) => Path.Combine(folder, name);
        (string[], string?) command = random.Next(6) switch
        {
            0 => (["inspect", file], null),
            1 => (["plan", "annotate", "--cells", "10", "-m", file], null),
            2 => (["learn", inputs.Study1, "-m", file, "-o", Out("out.safetensors"), "--epochs", "1"], Out("out.safetensors")),
            3 => (["explain", inputs.Unseen, "-m", file, "-o", Out("out.csv")], Out("out.csv")),
            _ => (["annotate", inputs.Unseen, "-m", file, "-o", Out("out.csv")], Out("out.csv")),
        };
        return (Path.GetFileName(source), command.Item1, command.Item2);
    }

    private (string, string[], string?) Stream(string folder, Random random)
    {
        // The second stage's cells are nowhere, so that a harmless change ends there and not in training.
        var data = JsonSerializer.Serialize(inputs.Study1);
        var text = $$$"""
            {
              "name": "s", "seeds": [1, 2], "min_genes": 3, "output": "out", "label": "cell_type",
              "base": {"pretrain": {"data": [{"data": {{{data}}}, "where": "split == train"}], "max_epochs": 2, "batch": 7, "accumulation": 2, "rate": 0.001, "validation": 0.1} },
              "genes": {"panel": 100, "vocabulary": {{{JsonSerializer.Serialize(inputs.GeneList)}}} }, "model": {"width": 16, "blocks": 1, "heads": 2, "head_width": 8, "features": 16},
              "learning": {"max_epochs": 1, "patience": 1, "batch": 14, "rate": 1e-3, "lambda": 0.1, "bank": 100, "bank_policy": "random", "trainable": "all"}, "ablate": ["joint"],
              "stages": [{"name": "1", "data": {{{data}}}, "where": "split == train"}, {"name": "2", "data": "nowhere.h5ad"}],
              "tests": [{"name": "t", "stage": 1, "data": {{{data}}}, "merge": {"a": "b"} }]
            }
            """;
        var file = Put(folder, "input.json", TextMutation.OfJson(Encoding.UTF8.GetBytes(text), random));
        var output = Path.Combine(folder, "results");
        return random.Next(4) == 0 ? ("stream file", ["baseline", file], null) : ("stream file", ["stream", file, "-o", output], output);
    }

    private (string, string[], string?) Cells(string folder, Random random) =>
        ("prepared cells", ["bench", "--accuracy", "--device", "cpu", "-m", inputs.Stage1, "--data", Put(folder, "input.safetensors", Damaged(inputs.Cells, random, SafetensorsMutation.Of))], null);

    private (string, string[], string?) Genes(string folder, Random random)
    {
        var file = Put(folder, "genes.txt", Damaged(inputs.GeneList, random, TextMutation.OfLines));
        var output = Path.Combine(folder, "out.safetensors");
        return random.Next(2) == 0
            ? ("gene list", ["baseline", inputs.Study1, "--test", inputs.Unseen, "--features", "log", "-c", "1", "--panel", "30", "--vocabulary", file], null)
            : ("gene list", ["pretrain", inputs.Study1, "-o", output, "--epochs", "1", .. FuzzInputs.TinyNetwork, "--vocabulary", file], output);
    }

    private (string, string[], string?) State(string folder, Random random)
    {
        var output = Path.Combine(folder, "out.safetensors");
        Directory.CreateDirectory(output + ".partial");
        Put(output + ".partial", "state.safetensors", Damaged(inputs.State, random, SafetensorsMutation.Of));
        return ("state of an interrupted run", [.. inputs.LearnCommand, "-o", output], output);
    }

    private byte[] Damaged(string source, Random random, Func<byte[], Random, byte[]> damage)
    {
        var bytes = File.ReadAllBytes(source);
        return sound ? bytes : damage(bytes, random);
    }

    private static string Put(string folder, string name, byte[] bytes)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
