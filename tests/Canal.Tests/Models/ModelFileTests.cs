using Canal.Annotation;
using Canal.Data;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Random;
using Canal.Learning;
using Canal.Models;
using Canal.Testing;

namespace Canal.Tests.Models;

public sealed class ModelFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Path => folder["model.safetensors"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void An_annotation_model_comes_back_as_it_was_saved()
    {
        var model = Model();
        ModelFile.Save(model, Path);
        var loaded = ModelFile.Load(Path);
        Assert.Equal(model.Configuration, loaded.Configuration);
        Assert.Equal(model.Panel.Symbols, loaded.Panel.Symbols);
        Assert.Equal(model.Panel.Vocabulary.Symbols, loaded.Panel.Vocabulary.Symbols);
        Assert.Equal(model.Library.Names, loaded.Library.Names);
        Assert.Equal(model.Library.Stages, loaded.Library.Stages);
        Assert.Equal(model.Weights.Keys, loaded.Weights.Keys);
        Assert.All(model.Weights, weight => Assert.Equal(weight.Value, loaded.Weights[weight.Key]));
        Assert.Equal(model.Bank.Capacity, loaded.Bank.Capacity);
        Assert.Equal(model.Bank.Examples.Select(Describe), loaded.Bank.Examples.Select(Describe));
        Assert.Equal(model.Provenance[0].Metrics, loaded.Provenance[0].Metrics);
        Assert.Equal(model.Provenance[0] with { Metrics = loaded.Provenance[0].Metrics, Settings = loaded.Provenance[0].Settings }, loaded.Provenance[0]);
        Assert.True(loaded.Simulated);
        Assert.True(loaded.GeneEmbeddingIsFixed);
        Assert.Equal(2, loaded.Stages);
        Assert.Equal(ModelFile.ChecksumOf(Path), loaded.Checksum);
        var cells = Outputs(model.Library.Count, 40);
        foreach (var rule in new[] { NoveltyRule.Stored, NoveltyRule.Distance })
        {
            Assert.Equal(new NoveltyDetector(rule, model.Novelty).Score(cells), new NoveltyDetector(rule, loaded.Novelty).Score(cells));
        }
        var (before, after) = (new NoveltyDetector(NoveltyRule.Genes, model.Novelty), new NoveltyDetector(NoveltyRule.Genes, loaded.Novelty));
        for (ushort gene = 0; gene < 30; gene++)
        {
            Assert.Equal(before.Score([1, 2, 3], [], [gene], [5]), after.Score([1, 2, 3], [], [gene], [5]));
        }
        Assert.Equal(NoveltyRule.Genes, NoveltyDetector.DefaultRule(loaded.Novelty));
    }

    [Fact]
    public void A_model_of_a_version_without_statistics_of_genes_keeps_its_old_rule()
    {
        ModelFile.Save(Model(), Path);
        Change(
            strings => strings["canal.novelty"] = strings["canal.novelty"].Replace("\"default\":\"genes\"", "\"default\":\"stored\"", StringComparison.Ordinal),
            keep: name => !name.StartsWith("canal.novelty.gene_", StringComparison.Ordinal));
        var loaded = ModelFile.Load(Path);
        Assert.Null(loaded.Novelty!.Genes);
        Assert.Equal(NoveltyRule.Stored, NoveltyDetector.DefaultRule(loaded.Novelty));
    }

    [Fact]
    public void Statistics_of_genes_that_cannot_be_are_refused()
    {
        ModelFile.Save(Model(), Path);
        Change(keep: name => !name.StartsWith("canal.novelty.gene_", StringComparison.Ordinal));
        AssertRefused("no statistics of genes");
        ModelFile.Save(Model(), Path);
        Change(tensors: (name, integers, _) => { if (name == "canal.novelty.gene_counts") integers![0] = -1; });
        AssertRefused("impossible gene counts");
        ModelFile.Save(Model(), Path);
        Change(tensors: (name, _, floats) => { if (name == "canal.novelty.gene_components") floats![0] = float.NaN; });
        AssertRefused("impossible gene components");
        ModelFile.Save(Model(), Path);
        Change(keep: name => name != "canal.novelty.gene_mean");
        AssertRefused("gene_mean");
    }

    [Fact]
    public void Saving_what_was_loaded_gives_the_same_bytes()
    {
        ModelFile.Save(Model(), Path);
        ModelFile.Save(ModelFile.Load(Path), folder["again.safetensors"]);
        Assert.Equal(File.ReadAllBytes(Path), File.ReadAllBytes(folder["again.safetensors"]));
    }

    [Fact]
    public void A_base_model_comes_back_without_types_bank_and_calibration()
    {
        var model = AnnotationModel.Create(Tiny() with { Manifold = 16, Representation = 8 }, Panel(), CellTypeLibrary.Empty, 5);
        ModelFile.Save(model, Path);
        var loaded = ModelFile.Load(Path);
        Assert.Equal(ModelKind.Base, loaded.Kind);
        Assert.Equal(model.Configuration, loaded.Configuration);
        Assert.Null(loaded.Novelty);
        Assert.Equal(0, loaded.Bank.Count);
        Assert.Equal([7L, 20L], SafetensorsReader.Open(Path).Entries["to_out.weight"].Shape);
    }

    [Fact]
    public void Weights_go_to_a_device_and_come_back()
    {
        var model = Model();
        using var device = new CpuDevice(new CpuOptions());
        using var parameters = model.CreateParameters(device);
        Assert.Equal(model.Weights.Keys, parameters.Parameters.Select(parameter => parameter.Name));
        var changed = Array.ConvertAll(model.Weights["norm.weight"], value => value + 1);
        parameters.Write("norm.weight", changed);
        var after = model.WithWeights(parameters);
        foreach (var (name, values) in model.Weights) Assert.Equal(name == "norm.weight" ? changed : values, after.Weights[name]);
    }

    [Theory]
    [InlineData("canal.format", "2", "version")]
    [InlineData("canal.format", null, "canal convert")]
    [InlineData("canal.configuration", null, "missing")]
    [InlineData("canal.configuration", "{}", "damaged")]
    [InlineData("canal.configuration", "null", "damaged")]
    [InlineData("canal.configuration", "{\"model\":{\"genes\":30,\"width\":20,\"blocks\":2,\"heads\":4,\"head_width\":8,\"features\":44,\"tokens\":7,\"manifold\":128,\"representation\":64},\"gene_embedding_is_fixed\":false,\"simulated\":false}", "not that of its weights")]
    [InlineData("canal.vocabulary", "[\"A\",\"A\"]", "twice")]
    [InlineData("canal.vocabulary", "[\"A\"]", "damaged")]
    [InlineData("canal.vocabulary", "[null]", "damaged")]
    [InlineData("canal.vocabulary", "{", "damaged")]
    [InlineData("canal.panel", "[1,0]", "ascend")]
    [InlineData("canal.panel", "[0,1]", "panel has 2 genes")]
    [InlineData("canal.panel", "[-1]", "ascend")]
    [InlineData("canal.panel", "[99999999999]", "damaged")]
    [InlineData("canal.library", "[null,null,null]", "damaged")]
    [InlineData("canal.provenance", "[null]", "damaged")]
    [InlineData("canal.configuration", "{\"model\":null,\"gene_embedding_is_fixed\":false,\"simulated\":false}", "damaged")]
    [InlineData("canal.library", "[]", "names 0 cell types")]
    [InlineData("canal.library", "[{\"name\":\"a\",\"stage\":1},{\"name\":\"a\",\"stage\":1},{\"name\":\"c\",\"stage\":2}]", "twice")]
    [InlineData("canal.library", "[{\"name\":null,\"stage\":1}]", "damaged")]
    [InlineData("canal.library", "[{\"name\":\"a\",\"stage\":1,\"more\":1}]", "damaged")]
    [InlineData("canal.provenance", "[{}]", "damaged")]
    [InlineData("canal.bank", "{\"capacity\":1,\"sources\":[\"s\"],\"cell_sources\":[0,0],\"cells\":[\"a\",\"b\"]}", "example bank")]
    [InlineData("canal.bank", "{\"capacity\":60,\"sources\":[],\"cell_sources\":[],\"cells\":[]}", "example bank")]
    [InlineData("canal.novelty", "{\"settings\":{\"temperature\":0},\"cells\":3}", "novelty calibration")]
    public void Metadata_that_cannot_be_are_refused_in_one_line(string key, string? value, string expected)
    {
        ModelFile.Save(Model(), Path);
        Change(metadata =>
        {
            if (value is null) metadata.Remove(key);
            else metadata[key] = value;
        });
        AssertRefused(expected);
    }

    [Theory]
    [InlineData("canal.bank.indptr", 0, 1, "offsets")]
    [InlineData("canal.bank.indptr", 1, 1_000_000, "offsets")]
    [InlineData("canal.bank.indptr", 1, -1, "offsets")]
    [InlineData("canal.bank.gene", 0, 30, "token")]
    [InlineData("canal.bank.gene", 1, 0, "token")]
    [InlineData("canal.bank.gene", 0, -1, "token")]
    [InlineData("canal.bank.bin", 0, 0, "token")]
    [InlineData("canal.bank.bin", 0, 6, "token")]
    [InlineData("canal.bank.label", 0, 3, "type")]
    [InlineData("canal.bank.label", 0, -1, "type")]
    [InlineData("canal.bank.fold", 0, 2, "fold")]
    [InlineData("canal.bank.stage", 0, 0, "stage")]
    [InlineData("canal.bank.rank", 0, 0, "rank")]
    [InlineData("canal.novelty.counts", 0, -1, "counts")]
    public void Numbers_that_cannot_be_are_refused_in_one_line(string tensor, int place, int value, string expected)
    {
        ModelFile.Save(Model(), Path);
        Change(tensors: (name, integers, _) =>
        {
            if (name == tensor) integers![place] = value;
        });
        AssertRefused(expected);
    }

    [Theory]
    [InlineData("norm.weight", float.NaN, "norm.weight")]
    [InlineData("pos_emb.emb.weight", float.PositiveInfinity, "pos_emb")]
    [InlineData("canal.novelty.means", float.NaN, "means")]
    [InlineData("canal.novelty.ranges", 1e30f, "ranges")]
    [InlineData("canal.novelty.scales", 0f, "ranges")]
    [InlineData("canal.novelty.cells", float.NaN, "cells")]
    public void Values_that_are_not_finite_or_impossible_are_refused_in_one_line(string tensor, float value, string expected)
    {
        ModelFile.Save(Model(), Path);
        Change(tensors: (name, _, floats) =>
        {
            if (name == tensor) floats![0] = value;
        });
        AssertRefused(expected);
    }

    [Theory]
    [InlineData("norm.bias", "missing")]
    [InlineData("token_emb.weight", "missing")]
    [InlineData("performer.net.layers.1.0.fn.to_k.weight", "missing")]
    [InlineData("to_out.fc3.weight", "missing")]
    [InlineData("canal.bank.rank", "missing")]
    [InlineData("canal.novelty.means", "missing")]
    public void A_tensor_that_is_missing_is_refused_in_one_line(string tensor, string expected)
    {
        ModelFile.Save(Model(), Path);
        Change(keep: name => name != tensor);
        AssertRefused(expected);
    }

    // With the checksum made right, so that nothing but the reader's own checks stands between the text and the model.
    [Fact]
    public void Text_changed_at_random_is_refused_in_one_line_or_read()
    {
        ModelFile.Save(Model(), Path);
        var original = File.ReadAllBytes(Path);
        var random = new RandomSequence(1, RandomPurpose.Testing);
        for (var trial = 0; trial < 120; trial++)
        {
            File.WriteAllBytes(Path, original);
            Change(metadata =>
            {
                var key = metadata.Keys.Where(name => name.StartsWith("canal.", StringComparison.Ordinal)).ElementAt(trial % 8);
                var text = metadata[key];
                var place = random.NextInt(text.Length);
                var replacement = "{}[]\",:0129-en\\ "[random.NextInt(16)];
                metadata[key] = trial % 3 == 0 ? text[..place] : $"{text[..place]}{replacement}{text[(place + 1)..]}";
            });
            try
            {
                ModelFile.Load(Path);
            }
            catch (UserException error)
            {
                Assert.DoesNotContain('\n', error.Message);
            }
        }
    }

    [Fact]
    public void A_damaged_byte_is_noticed_by_the_checksum()
    {
        ModelFile.Save(Model(), Path);
        var bytes = File.ReadAllBytes(Path);
        bytes[^5] ^= 4;
        File.WriteAllBytes(Path, bytes);
        AssertRefused("checksum");
    }

    private static string Describe(BankExample e) =>
        $"{e.Label} {e.Validates} {e.Stage} {e.Rank} {e.Source} {e.CellId} {string.Join(',', e.Positions)} {string.Join(',', e.Bins)}";

    private static ModelConfiguration Tiny() => new() { Genes = 30, Width = 20, Blocks = 2, Heads = 2, HeadWidth = 16, Features = 44 };

    private static GenePanel Panel() => new(new GeneVocabulary(Enumerable.Range(0, 40).Select(gene => $"GENE{gene}")), [.. Enumerable.Range(5, 30)]);

    private static AnnotationModel Model()
    {
        var library = CellTypeLibrary.Empty.Grow(["alpha", "beta"], 1).Grow(["T-Zelle, äußere"], 2);
        var outputs = Outputs(3, 60);
        return AnnotationModel.Create(Tiny(), Panel(), library, 5) with
        {
            Bank = new ExampleBank(60, Enumerable.Range(0, 12).Select(cell => new BankExample(
                cell % 3, cell % 4 == 3, 1 + (cell % 2), 1 + cell, $"study {cell % 2}", $"cell\"{cell}", [2, 7, (ushort)(9 + cell)], [1, 5, 3]))),
            Novelty = Calibrated(outputs),
            GeneEmbeddingIsFixed = true,
            Provenance =
            [
                new StageRecord
                {
                    Stage = 2, Name = "study", DataHash = "ab", Cells = 60, Seed = ulong.MaxValue, SoftwareVersion = "0.1.0", Simulated = true,
                    Metrics = new Dictionary<string, double> { ["accuracy"] = 0.1 + 0.2 },
                },
            ],
        };
    }

    private static NoveltyCalibration Calibrated(CellOutputs outputs)
    {
        var labels = Enumerable.Range(0, 60).Select(cell => cell % 3).ToArray();
        var examples = labels.Select((label, cell) => new BankExample(label, false, 1, 1, "", "", [(ushort)(10 * label), (ushort)((10 * label) + 1 + (cell % 9))], [5, (byte)(1 + (cell % 5))]));
        var cells = new BankTokens([.. examples]);
        var genes = GeneStatistics.Of(cells, [.. Enumerable.Range(0, 60)], labels, 3, 30);
        return NoveltyCalibration.Fit(new NoveltySettings(), outputs, labels, outputs)!.WithGenes(genes, genes.Thresholds(cells, [.. Enumerable.Range(0, 60)], 0.95));
    }

    private static CellOutputs Outputs(int types, int cells)
    {
        var random = new RandomSequence(3, RandomPurpose.Testing);
        float Draw() => (float)random.NextNormal();
        return new CellOutputs(types, [.. Enumerable.Range(0, cells * types).Select(_ => Draw())], 64, [.. Enumerable.Range(0, cells * 64).Select(_ => Draw())]);
    }

    // Writes the file again with something changed, checksum made right: what a program that means harm would do.
    private void Change(Action<Dictionary<string, string>>? metadata = null, Action<string, long[]?, float[]?>? tensors = null, Func<string, bool>? keep = null)
    {
        var strings = new Dictionary<string, string>();
        var written = new List<SafetensorsTensor>();
        using (var reader = SafetensorsReader.Open(Path))
        {
            foreach (var (key, value) in reader.Metadata) strings[key] = value;
            foreach (var (name, entry) in reader.Entries.Where(entry => keep?.Invoke(entry.Key) ?? true))
            {
                var (integers, floats) = entry.Type.IsFloat() ? (null, reader.ReadSingles(name)) : (reader.ReadIntegers(name), (float[]?)null);
                tensors?.Invoke(name, integers, floats);
                written.Add(integers is null ? SafetensorsTensor.Of(name, entry.Shape, floats!) : SafetensorsTensor.Of(name, entry.Shape, integers));
            }
        }
        metadata?.Invoke(strings);
        SafetensorsWriter.Write(Path, written, strings);
    }

    private void AssertRefused(string expected)
    {
        var message = Assert.Throws<UserException>(() => ModelFile.Load(Path)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.Contains(Path, message, StringComparison.Ordinal);
    }
}
