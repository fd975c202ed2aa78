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
    [InlineData("--device", "cuda")]
    [InlineData("--precision", "bf16")]
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
