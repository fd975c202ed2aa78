using System.Text.Json.Nodes;
using Canal.Testing;

namespace Canal.Cli.Tests;

[Collection(SimulatedStreamTests.Name)]
public sealed class StreamCommandTests(SimulatedStream stream) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AStreamLeavesModelsAMatrixAndTables()
    {
        var plan = TinyPlan();
        var run = CommandLineRun.Of("stream", plan, "--ablate", "fine-tune");
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        var again = CommandLineRun.Of("stream", plan, "--ablate", "fine-tune", "--json");
        var json = JsonNode.Parse(again.Out)!.AsObject();

        foreach (var word in new[] { "These cells, or those that the base model was made from, are simulated.", "after stage 1, study_1", "after stage 2, study_2", "(unseen)", "forgetting", "full", "fine-tune", "AUROC" })
        {
            Assert.Contains(word, run.Out, StringComparison.Ordinal);
        }
        Assert.True(json["simulated"]!.GetValue<bool>());
        Assert.Equal(["full", "fine-tune"], json["means"]!.AsArray().Select(m => m!["variant"]!.GetValue<string>()));
        Assert.Equal(File.ReadAllText(folder["out/matrix.json"]), again.Out);
        Assert.All(File.ReadAllLines(folder["out/matrix.csv"]).Skip(1), line => Assert.EndsWith(",true", line, StringComparison.Ordinal));
        Assert.Equal(5, Directory.GetFiles(folder["out"], "*.safetensors", SearchOption.AllDirectories).Length);
        Assert.Empty(Directory.GetDirectories(folder["out"], "*.partial", SearchOption.AllDirectories));
    }

    [Fact]
    public void TheBaselineRunsTheSameStream()
    {
        var plan = TinyPlan();
        var run = CommandLineRun.Of("baseline", plan, "-c", "0.1,1");
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        var json = JsonNode.Parse(CommandLineRun.Of("baseline", plan, "-c", "0.1", "--features", "token", "--json").Out)!.AsObject();

        foreach (var word in new[] { "These cells are simulated", "100 genes", "joint", "current only", "replay", "forgetting", "log", "token" }) Assert.Contains(word, run.Out, StringComparison.Ordinal);
        Assert.True(json["simulated"]!.GetValue<bool>());
        Assert.Equal(3, json["means"]!.AsArray().Count);
        Assert.Equal(4, json["fits"]!.AsArray().Count);
        Assert.All(json["fits"]!.AsArray(), fit => Assert.Equal(0.1, fit!["c"]!.GetValue<double>()));
    }

    [Fact]
    public void TheBaselineOfTwoStudiesTakesAModelsGenesAndSaysWhatItLeftOut()
    {
        var run = CommandLineRun.Of("baseline", stream.Study1, "--test", stream.Unseen, "-m", stream.Stage2, "-c", "1", "--features", "log");

        Assert.True(run.Code == ExitCodes.Done, run.Error);
        Assert.Contains("on 100 genes", run.Out, StringComparison.Ordinal);
        Assert.Contains("Left out: ", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void TheBaselineRefusesWhatItCannotDo()
    {
        CommandLineRun.Of("baseline", stream.Study1).AssertRefused("--test");
        CommandLineRun.Of("baseline", stream.StreamFile, "--test", stream.Study1).AssertRefused("--test");
        CommandLineRun.Of("baseline", stream.StreamFile, "-c", "0").AssertRefused("--strengths");
        CommandLineRun.Of("baseline", stream.StreamFile, "--features", "pca").AssertRefused("pca");
        CommandLineRun.Of("baseline", stream.Study1, "--test", stream.Study2, "--where", "cell_type == alpha").AssertRefused("two");
    }

    private string TinyPlan()
    {
        string Study(string name) => System.Text.Json.JsonSerializer.Serialize(name);
        File.WriteAllText(folder["tiny.json"], $$$"""
            {"name": "tiny", "base": {"pretrain": {"max_epochs": 1}}, "model": {"width": 16, "blocks": 1, "heads": 2, "head_width": 8, "features": 16},
             "genes": {"panel": 100}, "learning": {"max_epochs": 2, "bank": 30}, "output": "out",
             "stages": [{"name": "study_1", "data": {{{Study(stream.Study1)}}}, "where": "split == train"}, {"name": "study_2", "data": {{{Study(stream.Study2)}}}, "where": "split == train"}],
             "tests": [{"name": "study_1", "stage": 1, "data": {{{Study(stream.Study1)}}}, "where": "split == test"},
                       {"name": "study_2", "stage": 2, "data": {{{Study(stream.Study2)}}}, "where": "split == test"}, {"name": "unseen", "data": {{{Study(stream.Unseen)}}}}]}
            """);
        return folder["tiny.json"];
    }
}
