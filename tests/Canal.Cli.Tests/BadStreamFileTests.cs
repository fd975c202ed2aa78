namespace Canal.Cli.Tests;

/// <summary>Bad stream files and bad options.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class BadStreamFileTests(SimulatedStream stream) : IDisposable
{
    private readonly BadInput bad = new();

    public void Dispose() => bad.Dispose();

    [Fact]
    public void NotJson() => Refuses("{\"stages\": [}", "line 1");

    [Fact]
    public void AnEmptyFile() => Refuses("", "JSON");

    [Fact]
    public void NoSuchFile() => bad.Refuses(["stream", bad.In("missing.json")], "missing.json");

    [Fact]
    public void UnknownKeys()
    {
        Refuses($$"""{"stagez": [], "stages": [{{Stage(1)}}]}""", "stagez");
        Refuses($$"""{"stages": [{{Stage(1)}}], "learning": {"lamda": 1} }""", "lamda");
        Refuses($$"""{"stages": [{"data": {{Text(stream.Study1)}}, "filter": "split == train"}]}""", "filter");
    }

    [Fact]
    public void TextThatIsNone()
    {
        Refuses("""{"name": "\ud800", "stages": [{"data": "a.h5ad"}]}""", "name", "half a character");
        Refuses("""{"stages": [{"data": "a.h5ad", "\udc00": 1}]}""", "stages[0]", "half a character");
        Refuses("""{"base": "\ud800", "stages": [{"data": "a.h5ad"}]}""", "base", "half a character");
        Refuses("""{"stages": [{"data": "a"}], "tests": [{"data": "b", "merge": {"\ud800": "x"}}]}""", "merge", "half a character");
        var latin = System.Text.Encoding.Latin1.GetBytes("""{"name": "Bj\u00f6rn", "stages": [{"data": "Müller.h5ad"}]}""");
        bad.Refuses(["stream", bad.Write("latin.json", latin), "-o", bad.Out("results")], "latin.json", "UTF-8");
    }

    [Theory]
    [InlineData("""{"stages": [{"data": "a\u0000b"}]}""", "stages[0].data", "NUL")]
    [InlineData("""{"stages": [{"data": ""}]}""", "stages[0].data", "empty")]
    [InlineData("""{"stages": [{"data": "a"}], "genes": {"vocabulary": "\u0000"}}""", "genes.vocabulary", "NUL")]
    [InlineData("""{"stages": [{"data": "a"}], "output": "\u0000"}""", "output", "NUL")]
    [InlineData("""{"stages": [{"data": "a"}], "base": " "}""", "base", "empty")]
    public void PathsThatCannotBe(string json, string where, string word) => Refuses(json, where, word);

    [Fact]
    public void EmptyPaths()
    {
        bad.Refuses(["stream", ""], "stream file", "empty");
        bad.Refuses(["stream", stream.StreamFile, "-o", ""], "output folder", "empty");
        bad.Refuses(["learn", "", "-m", stream.Base, "-o", bad.Out("old.safetensors")], "input", "empty");
        bad.Refuses(["learn", stream.Study1, "-m", "", "-o", bad.Out("old.safetensors")], "input", "empty");
        bad.Refuses(["inspect", ""], "data set", "empty");
        bad.Refuses(["inspect", stream.Study1, "-m", ""], "model", "empty");
        bad.Refuses(["learn", stream.Study1, "--from-scratch", "-o", bad.Out("old.safetensors"), "--vocabulary", ""], "vocabulary", "empty");
        bad.Refuses(["simulate", "-o", ""], "output folder", "empty");
    }

    [Fact]
    public void WhatIsNoVocabulary()
    {
        Vocabulary(stream.Study1, "HDF5");
        Vocabulary(bad.Write("genes.gz", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]), "gzip");
        Vocabulary(bad.Write("genes.bin", [65, 0, 66, 0]), "binary");
        Vocabulary(bad.Write("genes.latin", [65, 10, 0xE4, 10]), "UTF-8");
        Vocabulary(bad.Write("one-line.txt", System.Text.Encoding.ASCII.GetBytes(new string('A', 5000))), "1,024 characters");
        Vocabulary(bad.Write("many.txt", System.Text.Encoding.ASCII.GetBytes(string.Join('\n', Enumerable.Range(0, 70_000)))), "65,535");
        var sparse = bad.In("huge.txt");
        using (var file = File.Create(sparse)) file.SetLength(65L << 20);
        Vocabulary(sparse, "65 MiB");

        void Vocabulary(string path, string word) =>
            bad.Refuses(["learn", stream.Study1, "--from-scratch", "-o", bad.Out("old.safetensors"), .. SimulatedStream.TinyNetwork, "--vocabulary", path], Path.GetFileName(path), word);
    }

    [Theory]
    [InlineData("pretrain", "--batch", "65536", "--batch")]
    [InlineData("learn", "--batch", "65536", "--batch")]
    [InlineData("pretrain", "--width", "4096", "--width")]
    [InlineData("learn", "--width", "4096", "--width")]
    public void ProductsThatAreTooLarge(string job, string option, string value, string word)
    {
        bad.Refuses(["plan", job, "--cells", "100", "--panel", "65000", "--size", "small", "--blocks", option == "--width" ? "64" : "1", "--counts-only", option, value], word, "lower");
    }

    [Fact]
    public void StoppedBeforeAnythingIsRead()
    {
        foreach (var arguments in new string[][]
        {
            ["inspect", stream.Study1], ["learn", stream.Study1, "-m", stream.Base, "-o", bad.Out("new.safetensors")],
            ["pretrain", stream.Study1, "-o", bad.Out("new.safetensors")], ["baseline", stream.Study1, "--test", stream.Study2],
            ["annotate", stream.Unseen, "-m", stream.Stage2, "-o", bad.Out("new.csv")],
        })
        {
            var run = CommandLineRun.Of(new CancellationToken(canceled: true), arguments);
            Assert.Equal(ExitCodes.Interrupted, run.Code);
            Assert.Empty(run.Out);
            Assert.Equal(3, Directory.GetFileSystemEntries(bad.Out(".")).Length);
        }
    }

    [Fact]
    public void NoStages()
    {
        Refuses("{}", "stages");
        Refuses("""{"stages": []}""", "stages");
    }

    [Fact]
    public void AFileThatIsNotThere()
    {
        Refuses($$"""{"model": {{Tiny}}, "stages": [{"data": "nowhere.h5ad"}]}""", "nowhere.h5ad");
        Refuses($$"""{"model": {{Tiny}}, "stages": [{{Stage(1)}}, {"name": "2", "data": "nowhere.h5ad"}]}""", "nowhere.h5ad");
        Refuses($$"""{"model": {{Tiny}}, "stages": [{{Stage(1)}}], "tests": [{"name": "t", "data": "nowhere.h5ad"}]}""", "nowhere.h5ad");
        Refuses($$"""{"model": {{Tiny}}, "base": "nowhere.safetensors", "stages": [{{Stage(1)}}]}""", "nowhere.safetensors");
        Refuses($$"""{"model": {{Tiny}}, "genes": {"vocabulary": "nowhere.txt"}, "stages": [{{Stage(1)}}]}""", "nowhere.txt");
    }

    [Fact]
    public void SelectionsThatCannotBe()
    {
        Refuses($$"""{"model": {{Tiny}}, "stages": [{{Stage(1, "batch == 1")}}]}""", "batch", "cell_type");
        Refuses($$"""{"model": {{Tiny}}, "stages": [{{Stage(1, "split = train")}}]}""", "split = train");
        Refuses($$"""{"model": {{Tiny}}, "label": "kind", "stages": [{{Stage(1)}}]}""", "kind");
    }

    [Fact]
    public void ValuesOutOfRange()
    {
        Refuses($$"""{"stages": [{{Stage(1)}}], "model": {"width": 0} }""", "width");
        Refuses($$"""{"stages": [{{Stage(1)}}], "seeds": [1, 1]}""", "seeds");
        Refuses($$"""{"stages": [{{Stage(1)}}], "learning": {"rate": -1} }""", "rate");
        Refuses($$"""{"stages": [{{Stage(1)}}], "ablate": ["everything"]}""", "everything");
        Refuses($$"""{"stages": [{{Stage(1)}}], "tests": [{"name": "t", "stage": 2, "data": "x.h5ad"}]}""", "stage");
    }

    [Theory]
    [InlineData("--seeds", "one")]
    [InlineData("--seeds", "1,-2")]
    [InlineData("--seeds", ",")]
    [InlineData("--memory-limit", "much")]
    [InlineData("--memory-limit", "-4G")]
    [InlineData("--device", "gpu")]
    [InlineData("--precision", "fp8")]
    [InlineData("--threads", "-1")]
    public void StreamOptions(string option, string value) => bad.Refuses(["stream", stream.StreamFile, "-o", bad.Out("results"), option, value], option[2..]);

    [Fact]
    public void AVariantThatThereIsNot() => bad.Refuses(["stream", stream.StreamFile, "-o", bad.Out("results"), "--ablate", "everything"], "everything", "fine-tune");

    [Theory]
    [InlineData("--panel", "many", "--panel")]
    [InlineData("--panel", "0", "--panel")]
    [InlineData("--size", "huge", "--size")]
    [InlineData("--width", "0", "--width")]
    [InlineData("--heads", "1.5", "--heads")]
    [InlineData("--epochs", "0", "epochs")]
    [InlineData("--rate", "nan", "rate")]
    [InlineData("--batch", "0", "batch")]
    [InlineData("--bank", "-1", "bank")]
    [InlineData("--bank-policy", "best", "best")]
    [InlineData("--trainable", "some", "--trainable")]
    [InlineData("--acceptance", "0.2", "acceptance")]
    [InlineData("--least-overlap", "2", "--least-overlap")]
    [InlineData("--min-genes", "-1", "--min-genes")]
    [InlineData("--memory-limit", "1G of it", "--memory-limit")]
    [InlineData("--vocabulary", "nowhere.txt", "nowhere.txt")]
    [InlineData("--seed", "-1", "--seed")]
    public void LearnOptions(string option, string value, string word) =>
        bad.Refuses(["learn", stream.Study1, "--from-scratch", "-o", bad.Out("old.safetensors"), .. SimulatedStream.TinyNetwork.Chunk(2).Where(o => o[0] != option).SelectMany(o => o), option, value], word);

    [Fact]
    public void ABankSmallerThanTheLibrary() => bad.Refuses(["learn", stream.Study2, "-m", stream.Stage1, "-o", bad.Out("new.safetensors"), "--bank", "2"], "bank");

    [Fact]
    public void ALimitThatNothingFitsIn() => Assert.Contains("memory", CommandLineRun.Of("learn", stream.Study2, "-m", stream.Stage1, "-o", bad.Out("new.safetensors"), "--memory-limit", "10K").Error, StringComparison.OrdinalIgnoreCase);

    [Fact]
    public void APreviousModelOrNone()
    {
        bad.Refuses(["learn", stream.Study1, "-o", bad.Out("new.safetensors")], "--model", "--from-scratch");
        bad.Refuses(["learn", stream.Study1, "-o", bad.Out("new.safetensors"), "-m", stream.Base, "--from-scratch"], "--model", "--from-scratch");
    }

    [Theory]
    [InlineData("--cells", "1")]
    [InlineData("--genes", "0")]
    [InlineData("--studies", "9")]
    public void SimulateOptions(string option, string value) => bad.Refuses(["simulate", "-o", bad.Out("studies"), option, value], option);

    [Fact]
    public void AnnotateOptions()
    {
        string[] annotate = ["annotate", stream.Unseen, "-m", stream.Stage2, "-o", bad.Out("old.csv")];
        bad.Refuses([.. annotate, "--novelty", "guess"], "guess");
        bad.Refuses([.. annotate, "--threads", "5000"], "--threads");
        bad.Refuses(["explain", stream.Unseen, "-m", stream.Stage2, "-o", bad.Out("old.csv"), "--blocks", "7"], "block");
        bad.Refuses(["explain", stream.Unseen, "-m", stream.Stage2, "-o", bad.Out("old.csv"), "--heads", "x"], "--heads");
    }

    private const string Tiny = """{"width": 16, "blocks": 1, "heads": 2, "head_width": 8, "features": 16}""";

    private string Stage(int number, string where = "split == train") => $$"""{"name": "{{number}}", "data": {{Text(number == 1 ? stream.Study1 : stream.Study2)}}, "where": {{Text(where)}} }""";

    private static string Text(string value) => System.Text.Json.JsonSerializer.Serialize(value);

    private void Refuses(string json, params string[] words)
    {
        File.WriteAllText(bad.In("stream.json"), json);
        bad.Refuses(["stream", bad.In("stream.json"), "-o", bad.Out("results")], words);
    }
}
