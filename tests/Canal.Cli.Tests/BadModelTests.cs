using Canal.Models;

namespace Canal.Cli.Tests;

/// <summary>Bad models and bad names of outputs.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class BadModelTests(SimulatedStream stream) : IDisposable
{
    private readonly BadInput bad = new();

    public void Dispose() => bad.Dispose();

    [Theory, InlineData(0.01), InlineData(0.3), InlineData(0.7), InlineData(0.999)]
    public void AFlippedBit(double place)
    {
        var bytes = File.ReadAllBytes(stream.Stage2);
        bytes[(int)(place * bytes.Length)] ^= 4;
        EveryoneRefuses(bad.Write("flipped.safetensors", bytes), "flipped.safetensors");
    }

    [Theory, InlineData(0.0), InlineData(0.001), InlineData(0.5), InlineData(0.999)]
    public void ATruncatedModel(double share)
    {
        var bytes = File.ReadAllBytes(stream.Stage2);
        EveryoneRefuses(bad.Write("half.safetensors", bytes.AsSpan(0, (int)(share * bytes.Length))), "half.safetensors");
    }

    [Fact]
    public void NoSuchModel() => EveryoneRefuses(bad.In("missing.safetensors"), "missing.safetensors");

    [Fact]
    public void ADataSetIsNoModel() => EveryoneRefuses(stream.Study1, "study_1.h5ad");

    [Fact]
    public void AModelOfANewerFormat()
    {
        var path = bad.In("newer.safetensors");
        using (var reader = SafetensorsReader.Open(stream.Stage2))
        {
            var metadata = reader.Metadata.Where(m => m.Key != SafetensorsReader.ChecksumKey).ToDictionary(m => m.Key, m => m.Key == "canal.format" ? "2" : m.Value);
            SafetensorsWriter.Write(path, [SafetensorsTensor.Of("weights.of.tomorrow", [2], new float[2])], metadata);
        }
        EveryoneRefuses(path, "newer.safetensors", "format 2", "version");
    }

    [Fact]
    public void WeightsWithoutGenesAndTypes()
    {
        var path = bad.In("plain.safetensors");
        SafetensorsWriter.Write(path, [SafetensorsTensor.Of("w", [2], new float[2])], new Dictionary<string, string>());
        EveryoneRefuses(path, "plain.safetensors", "not a Canal model");
    }

    [Fact]
    public void ABaseModelKnowsNoTypes()
    {
        bad.Refuses(["annotate", stream.Unseen, "-m", stream.Base, "-o", bad.Out("old.csv")], "base", "canal learn");
        bad.Refuses(["explain", stream.Unseen, "-m", stream.Base, "-o", bad.Out("old.csv")], "base", "canal learn");
    }

    [Theory]
    [InlineData("annotate", "labels.txt", ".csv")]
    [InlineData("annotate", "labels", ".csv")]
    [InlineData("annotate", "no/such/labels.csv", "does not exist")]
    [InlineData("annotate", "no/such/labels.h5ad", "does not exist")]
    [InlineData("annotate", "", "-o")]
    [InlineData("explain", "no/such/genes.csv", "does not exist")]
    [InlineData("learn", "no/such/model.safetensors", "does not exist")]
    [InlineData("learn", "model.h5ad", ".safetensors")]
    [InlineData("pretrain", "model", ".safetensors")]
    [InlineData("pretrain", "no/such/model.safetensors", "does not exist")]
    public void AnOutputThatCannotBe(string command, string output, string word) =>
        bad.Refuses([command, stream.Study1, .. command == "pretrain" ? [] : new[] { "-m", command == "learn" ? stream.Base : stream.Stage2 }, "-o", output.Length == 0 ? "" : bad.Out(output)], word);

    [Fact]
    public void AnOutputThatIsAnInput()
    {
        var data = bad.In("own.h5ad");
        File.Copy(stream.Study1, data);
        var model = bad.In("own.safetensors");
        File.Copy(stream.Stage2, model);
        File.CreateSymbolicLink(bad.In("link.h5ad"), data);

        bad.Refuses(["annotate", data, "-m", model, "-o", data], "input");
        bad.Refuses(["annotate", data, "-m", model, "-o", bad.In("link.h5ad")], "input");
        bad.Refuses(["learn", data, "-m", model, "-o", model], "input");
        bad.Refuses(["evaluate", data, "--truth", "cell_type", "--confusion", data], "input");
    }

    [Fact]
    public void AFolderIsNoOutput() => bad.Refuses(["annotate", stream.Unseen, "-m", stream.Stage2, "-o", bad.Out("")], "folder");

    private void EveryoneRefuses(string model, params string[] words)
    {
        bad.Refuses(["annotate", stream.Unseen, "-m", model, "-o", bad.Out("old.csv")], words);
        bad.Refuses(["learn", stream.Study2, "-m", model, "-o", bad.Out("old.safetensors")], words);
        bad.Refuses(["explain", stream.Unseen, "-m", model, "-o", bad.Out("old.csv")], words);
        bad.Refuses(["inspect", stream.Unseen, "-m", model], words);
        bad.Refuses(["baseline", stream.Study1, "--test", stream.Unseen, "-m", model], words);
    }
}
