using System.Text.Json;
using System.Text.Json.Nodes;
using Canal.Data;
using Canal.Models;
using Canal.Testing;

namespace Canal.Cli.Tests;

[Collection(SimulatedStreamTests.Name)]
public sealed class WholeMethodTests(SimulatedStream stream) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void SimulatedStudiesSayThatTheyAre()
    {
        foreach (var path in new[] { stream.Study1, stream.Study2, stream.Unseen })
        {
            using var file = ExpressionFiles.Open(path);
            Assert.Equal(60, file.CellCount);
            Assert.All(file.ReadObs("simulated").Values, note => Assert.Contains("no cell of this file is real", note, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void EveryModelAndEveryMessageAboutItSaysThatItIsMadeFromSimulatedCells()
    {
        foreach (var model in new[] { stream.Base, stream.Stage1, stream.Stage2 })
        {
            Assert.True(ModelFile.Load(model).Simulated, model);
            Assert.Contains("simulated", Done("inspect", model).Out, StringComparison.Ordinal);
        }
        foreach (var run in new[] { stream.Pretraining, stream.Learning1, stream.Learning2, stream.Annotating })
        {
            Assert.Contains("simulated cells", run.Out, StringComparison.Ordinal);
            Assert.Contains("no cell of this file is real", run.Error, StringComparison.Ordinal);
        }
        Assert.False(Directory.Exists(stream.Stage2 + ".partial"));
    }

    [Fact]
    public void EveryCommandPrintsJsonThatSaysSimulated()
    {
        foreach (var json in new[]
        {
            Json("simulate", "-o", folder["again"], "--cells", "60", "--genes", "250", "--studies", "1"),
            Json("inspect", stream.Stage2),
            Json("annotate", stream.Unseen, "-m", stream.Stage2, "-o", folder["a.csv"]),
            Json("explain", stream.Unseen, "-m", stream.Stage2, "-o", folder["genes.csv"]),
            Json(["pretrain", stream.Study1, "-o", folder["b.safetensors"], "--epochs", "1", .. SimulatedStream.TinyNetwork]),
            Json("learn", stream.Study1, "-m", stream.Base, "-o", folder["l.safetensors"], "--epochs", "1"),
            Json("evaluate", stream.Annotated, "--truth", "cell_type"),
            Json("baseline", stream.Study1, "--where", "split == train", "--test", stream.Study1, "--test-where", "split == test", "--panel", "50", "-c", "1"),
            Json("inspect", stream.Unseen),
        })
        {
            Assert.True(json["simulated"]?.GetValue<bool>(), json.ToJsonString());
        }
        Assert.Equal(60, Json("inspect", stream.Unseen, "-m", stream.Stage2)["cells"]!.GetValue<int>());
        Assert.NotNull(Json("doctor")["libhdf5"]);
    }

    [Fact]
    public void TheBankKeepsThePreviousModelsPlacesUnlessToldOtherwise()
    {
        var (first, next, small) = (folder["first.safetensors"], folder["next.safetensors"], folder["small.safetensors"]);
        Done("learn", stream.Study1, "-m", stream.Base, "-o", first, "--epochs", "1", "--bank", "2000");
        var kept = Done("learn", stream.Study2, "-m", first, "-o", next, "--epochs", "1");
        var cut = Done("learn", stream.Study2, "-m", first, "-o", small, "--epochs", "1", "--bank", "20");

        Assert.Equal((2000, 2000), (ModelFile.Load(first).Bank.Capacity, ModelFile.Load(next).Bank.Capacity));
        Assert.DoesNotContain("no longer fit", kept.Error, StringComparison.Ordinal);
        var (before, after) = (ModelFile.Load(first).Bank, ModelFile.Load(small));
        Assert.Equal(20, after.Bank.Capacity);
        var quota = 20 / after.Library.Count;
        var unfit = before.Examples.GroupBy(e => (e.Label, e.Validates)).Sum(g => Math.Max(0, g.Count() - (g.Key.Validates ? quota / 5 : quota - (quota / 5))));
        Assert.True(unfit > 0);
        Assert.Contains($"20 places instead of 2,000: {unfit} of its {before.Count} cells no longer fit", cut.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void DefaultsOfTheCommandsAreThoseOfAStreamFile()
    {
        var command = new Commands.PretrainCommand();
        var settings = new Learning.PretrainSettings();
        Assert.Equal((settings.MaxEpochs, settings.Patience, settings.Batch, settings.Accumulation, settings.Rate), (command.Epochs, command.Patience, command.Batch, command.Accumulation, command.Rate));
        Done(["learn", stream.Study1, "--from-scratch", "-o", folder["s.safetensors"], "--epochs", "1", .. SimulatedStream.TinyNetwork]);
        Done("learn", stream.Study1, "-m", stream.Base, "-o", folder["b.safetensors"], "--epochs", "1");
        Assert.Equal("0.001", ModelFile.Load(folder["s.safetensors"]).Provenance[^1].Settings["rate"]);
        Assert.Equal("0.0002", ModelFile.Load(folder["b.safetensors"]).Provenance[^1].Settings["rate"]);
    }

    [Fact]
    public void LearningKeepsEarlierTypesAndAddsNewOnes()
    {
        var json = Json("inspect", stream.Stage2);
        var types = json["types"]!.AsArray();

        Assert.Equal(2, json["stages"]!.GetValue<int>());
        Assert.Equal([1, 2], types.Select(t => t!["stage"]!.GetValue<int>()).Distinct().Order());
        Assert.All(types.Where(t => t!["stage"]!.GetValue<int>() == 1), t => Assert.True(t!["bank_cells"]!.GetValue<int>() > 0));
        Assert.All(ModelFile.Load(stream.Stage1).Library.Names, name => Assert.Contains(types, t => t!["name"]!.GetValue<string>() == name));
    }

    [Fact]
    public void TheCopyHoldsTheLabelsThatTheCsvHoldsAndAllThatTheSourceHeld()
    {
        var csv = folder["labels.csv"];
        Done("annotate", stream.Unseen, "-m", stream.Stage2, "-o", csv);
        var lines = File.ReadAllLines(csv).Select(line => line.Split(',')).ToList();
        using var source = ExpressionFiles.Open(stream.Unseen);
        using var copy = ExpressionFiles.Open(stream.Annotated);

        Assert.Equal(source.CellCount + 1, lines.Count);
        Assert.Equal(source.CellNames, lines.Skip(1).Select(cells => cells[0]));
        Assert.Equal("simulated", lines[0][^1]);
        Assert.All(lines.Skip(1), cells => Assert.Equal("true", cells[^1]));
        foreach (var (name, place) in lines[0].SkipLast(1).Select((name, place) => (name, place)).Skip(1))
        {
            var stored = copy.ReadObs(name).Values;
            for (var cell = 0; cell < copy.CellCount; cell++) AssertSame(lines[cell + 1][place], stored[cell] ?? "", $"{name} of cell {cell}");
        }
        foreach (var column in source.ObsColumns) Assert.Equal(source.ReadObs(column).Values, copy.ReadObs(column).Values);
        Assert.Equal(source.GeneNames("X"), copy.GeneNames("X"));
    }

    [Fact]
    public void ClustersGetTheMajorityLabel()
    {
        var csv = folder["labels.csv"];
        Done("annotate", stream.Unseen, "-m", stream.Stage2, "-o", csv, "--cluster", "cell_type");
        var lines = File.ReadAllLines(csv).Select(line => line.Split(',')).ToList();
        var column = Array.IndexOf(lines[0], "canal_cluster_type");
        using var file = ExpressionFiles.Open(stream.Unseen);
        var clusters = file.ReadObs("cell_type").Values;

        Assert.True(column > 0);
        foreach (var cluster in Enumerable.Range(0, file.CellCount).GroupBy(cell => clusters[cell]))
        {
            Assert.Single(cluster.Select(cell => lines[cell + 1][column]).Distinct());
        }
    }

    [SkippableFact]
    public void AnnDataOpensTheResult()
    {
        const string python = "/usr/bin/python3";
        Skip.IfNot(Directory.Exists("/usr/lib/python3/dist-packages/anndata") && File.Exists(python), "No Debian Python with AnnData here (python3-anndata).");
        const string script = """
            import sys, anndata, numpy
            a = anndata.read_h5ad(sys.argv[1]); s = anndata.read_h5ad(sys.argv[2])
            assert list(s.obs_names) == list(a.obs_names) and abs(s.X - a.X).max() == 0
            assert str(a.obs["canal_cell_type"].dtype) == "category"
            assert ((a.obs["canal_confidence"] >= 0) & (a.obs["canal_confidence"] <= 1)).all()
            assert a.obsm["X_canal"].shape[0] == a.n_obs and numpy.isfinite(a.obsm["X_canal"]).all()
            print(a.uns["canal"]["simulated"], len(a.uns["canal"]["cell_types"]))
            """;
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(python, ["-W", "ignore", "-c", script, stream.Annotated, stream.Unseen])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();

        Assert.True(process.ExitCode == 0, error.Result);
        Assert.Equal($"the cells are simulated, and the model was made from simulated cells {ModelFile.Load(stream.Stage2).Library.Count}", output.Trim());
    }

    [Fact]
    public void EvaluatePrintsConfusionAndMeasuresThatFitTogether()
    {
        var run = Done("evaluate", stream.Annotated, "--truth", "cell_type", "--confusion", folder["confusion.csv"]);
        var json = Json("evaluate", stream.Annotated, "--truth", "cell_type");
        var confusion = File.ReadAllLines(folder["confusion.csv"]);
        var rows = confusion.Skip(1).ToList();
        Assert.StartsWith("truth \\ predicted (simulated),", confusion[0], StringComparison.Ordinal);

        foreach (var word in new[] { "truth \\ label", "macro-F1", "adjusted Rand index", "H-score", "AUROC" }) Assert.Contains(word, run.Out, StringComparison.Ordinal);
        Assert.Equal(60, json["cells"]!.GetValue<int>());
        Assert.Equal(60, json["known_cells"]!.GetValue<int>() + json["novel_cells"]!.GetValue<int>());
        Assert.True(json["novel_cells"]!.GetValue<int>() > 0);
        Assert.InRange(json["accuracy"]!.GetValue<double>(), 0.0, 1.0);
        Assert.Equal(60, rows.Sum(row => row.Split(',').Skip(1).Sum(n => int.Parse(n, System.Globalization.CultureInfo.InvariantCulture))));
    }

    [Fact]
    public void ExplainScoresEveryGeneOfThePanelForEveryTypeFound()
    {
        var run = Done("explain", stream.Study1, "-m", stream.Stage2, "-o", folder["genes.csv"], "--by", "cell_type");
        var lines = File.ReadAllLines(folder["genes.csv"]);
        using var file = ExpressionFiles.Open(stream.Study1);

        Assert.Equal(["gene (simulated)", .. file.ReadObs("cell_type").Values.Distinct().Order(StringComparer.Ordinal)], lines[0].Split(',').Take(1).Concat(lines[0].Split(',').Skip(1).Order(StringComparer.Ordinal)));
        Assert.Equal(ModelFile.Load(stream.Stage2).Panel.Symbols, lines.Skip(1).Select(line => line.Split(',')[0]));
        Assert.Contains("genes looked at most", run.Out, StringComparison.Ordinal);
        Assert.Contains("upper bound of the share that eps gives", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void CellsWhoseTruthIsMissingAreNotCompared()
    {
        using var made = new BadInput();
        // Blanks and nan are what pandas and other programs write for a missing label.
        string?[] missing = ["", "nan", " NaN ", null];
        var truth = made.Rewrite(stream.Unseen, value: (value, cell) => cell < missing.Length ? missing[cell] : value);
        Done("annotate", truth, "-m", stream.Stage2, "-o", folder["a.h5ad"]);
        var json = Json("evaluate", folder["a.h5ad"], "--truth", "cell_type", "--confusion", folder["confusion.csv"]);

        Assert.Equal(60 - missing.Length, json["cells"]!.GetValue<int>());
        Assert.DoesNotContain(File.ReadAllLines(folder["confusion.csv"]).Skip(1), line => line.StartsWith("nan,", StringComparison.OrdinalIgnoreCase) || line.StartsWith(',') || line.StartsWith("\"\"", StringComparison.Ordinal));
    }

    [Fact]
    public void RealCellsOfASimulatedModelAndSimulatedCellsOfARealOneAreBothSaidToBeSimulated()
    {
        using var made = new BadInput();
        var real = made.Rewrite(stream.Unseen, column: "simulated", value: (_, _) => "no");
        var model = ModelFile.Load(stream.Stage2);
        var realModel = folder["real.safetensors"];
        ModelFile.Save(model with { Provenance = [.. model.Provenance.Select(r => r with { Simulated = false })] }, realModel);
        foreach (var (data, used, cells, models) in new[] { (real, stream.Stage2, false, true), (stream.Unseen, realModel, true, false), (real, realModel, false, false) })
        {
            var (annotated, genes) = (folder["o.h5ad"], folder["genes.csv"]);
            foreach (var run in new[] { Done("annotate", data, "-m", used, "-o", annotated), Done("explain", data, "-m", used, "-o", genes) })
            {
                Assert.Equal(cells, run.Out.Contains("These cells are simulated", StringComparison.Ordinal));
                Assert.Equal(models, run.Out.Contains("model was made from simulated", StringComparison.Ordinal));
            }
            Assert.Equal(cells || models, File.ReadLines(genes).First().Contains("simulated", StringComparison.Ordinal));
            Assert.Equal(cells || models, Json("annotate", data, "-m", used, "-o", folder["a.csv"])["simulated"]!.GetValue<bool>());
            Assert.Equal(cells || models, File.ReadLines(folder["a.csv"]).First().EndsWith(",simulated", StringComparison.Ordinal));
            Assert.Equal(cells || models, Json("explain", data, "-m", used, "-o", genes)["simulated"]!.GetValue<bool>());
            Assert.Equal(cells || models, Json("evaluate", annotated, "--truth", "cell_type")["simulated"]!.GetValue<bool>());
            Assert.Equal(cells || models, Json("inspect", data, "-m", used)["simulated"]!.GetValue<bool>());
        }
    }

    private static CommandLineRun Done(params string[] arguments)
    {
        var run = CommandLineRun.Of(arguments);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        return run;
    }

    private static JsonObject Json(params string[] arguments)
    {
        var run = Done([.. arguments, "--json"]);
        try
        {
            return JsonNode.Parse(run.Out)!.AsObject();
        }
        catch (JsonException e)
        {
            throw new Xunit.Sdk.XunitException($"canal {arguments[0]} --json: {e.Message}\n{run.Out}");
        }
    }

    // Numbers are shortest texts of float32; the copy may hold the float64 that was rounded to it.
    private static void AssertSame(string expected, string actual, string place)
    {
        if (double.TryParse(expected, System.Globalization.CultureInfo.InvariantCulture, out var a) && double.TryParse(actual, System.Globalization.CultureInfo.InvariantCulture, out var b))
        {
            Assert.True((float)a == (float)b, $"{place}: {expected} in the CSV, {actual} in the copy");
            return;
        }
        Assert.True(expected == actual, $"{place}: '{expected}' in the CSV, '{actual}' in the copy");
    }
}
