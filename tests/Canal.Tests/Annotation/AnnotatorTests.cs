using Canal.Annotation;
using Canal.Data;
using Canal.Engine.Devices.Cpu;
using Canal.Learning;
using Canal.Models;
using Canal.Tests.Learning;

namespace Canal.Tests.Annotation;

public sealed class AnnotatorTests : IDisposable
{
    private readonly CpuDevice device = new(new CpuOptions());
    private readonly AnnotationModel model;

    public AnnotatorTests()
    {
        using var cells = Prepare(null);
        model = new StageTrainer(device).Learn(
            LearningSamples.Fresh(blocks: 2), StageCells.Of(cells, "00", false), LearningSamples.Settings with { MaxEpochs = 8, Rate = 5e-3 }, StageCompany.Alone, new LearningContext()).Model;
    }

    [Theory]
    [InlineData(null)]
    [InlineData(NoveltyRule.Genes)]
    [InlineData(NoveltyRule.Stored)]
    [InlineData(NoveltyRule.Distance)]
    [InlineData(NoveltyRule.Probability)]
    public void ACell_GetsTheSameBits_InWhateverCompany(NoveltyRule? rule)
    {
        using var all = Prepare(null);
        using var some = Prepare("half == second");
        using var annotator = new Annotator(device, model);
        var settings = new AnnotationSettings { Novelty = rule };
        var (whole, part) = (annotator.Annotate(all, settings, null, CancellationToken.None), annotator.Annotate(some, settings, null, CancellationToken.None));
        Assert.True(part.Count is > 0 and < 50);
        Assert.Equal(rule ?? NoveltyRule.Genes, whole.Rule);
        for (var cell = 0; cell < part.Count; cell++)
        {
            var other = whole.CellIds.ToList().IndexOf(part.CellIds[cell]);
            Assert.Equal(whole.Best.AsSpan(3 * other, 3), part.Best.AsSpan(3 * cell, 3));
            Assert.Equal(whole.Probabilities.AsSpan(3 * other, 3), part.Probabilities.AsSpan(3 * cell, 3));
            Assert.Equal((whole.Energy[other], whole.Novelty[other]), (part.Energy[cell], part.Novelty[cell]));
            Assert.Equal(whole.Representations.AsSpan(whole.Width * other, whole.Width), part.Representations.AsSpan(part.Width * cell, part.Width));
        }
    }

    [Fact]
    public void LearnedTypes_AreNamed_AndThePublishedRuleRuns()
    {
        using var cells = Prepare(null);
        using var annotator = new Annotator(device, model);
        var result = annotator.Annotate(cells, new AnnotationSettings { Novelty = NoveltyRule.File }, null, CancellationToken.None);
        var right = Enumerable.Range(0, result.Count).Count(c => result.BestOf(c) == cells.Types[cells.Labels[c]]);
        Assert.True(right >= 0.9 * result.Count, $"{right} of {result.Count}");
        Assert.All(result.Novelty, n => Assert.InRange(n, 0, 1));
        Assert.Null(result.TypeAt(0, 2) is null ? "three types are known" : null);
    }

    [Fact]
    public void AClustersCells_GetTheirMajority()
    {
        using var cells = Prepare(null);
        using var annotator = new Annotator(device, model);
        string?[] clusters = [.. Enumerable.Range(0, cells.Count).Select(c => c < 10 ? "a" : c < 12 ? null : "b")];
        var result = annotator.Annotate(cells, new AnnotationSettings { Novelty = NoveltyRule.Probability, Clusters = clusters }, null, CancellationToken.None);
        var majority = Enumerable.Range(0, 10).GroupBy(result.LabelOf).Max(g => g.Count());
        Assert.All(Enumerable.Range(0, 10), c => Assert.Equal(majority / 10.0, result.Clusters![c].Confidence));
        Assert.Single(Enumerable.Range(0, 10).Select(c => result.Clusters![c].Label).Distinct());
        Assert.Equal(result.LabelOf(11), result.Clusters![11].Label);
    }

    [Fact]
    public void ABaseModel_IsRefused() => Assert.Throws<UserException>(() => new Annotator(device, LearningSamples.Fresh()));

    [Fact]
    public void GeneAttention_SumsToOneWithTheTrailingToken_AndItsFloorIsBelowEveryGene()
    {
        using var cells = Prepare(null);
        string?[] types = [.. cells.Labels.Select(l => l == 2 ? null : cells.Types[l])];
        var scores = GeneAttentionProfile.Compute(device, model, cells, types, null, null, null, CancellationToken.None);
        Assert.Equal(["type 0", "type 1"], scores.Types);
        Assert.Equal(types.Count(t => t is not null), scores.Cells.Sum());
        for (var type = 0; type < 2; type++)
        {
            var row = Enumerable.Range(0, LearningSamples.Genes).Select(g => scores.Scores[type, g]).ToArray();
            Assert.InRange(row.Sum(), 0.5, 1 + 1e-5);       // each row of an attention matrix sums to 1; the trailing token has the rest
            Assert.All(row, s => Assert.True(s >= scores.Floor[type] && s > 0));
        }
        Assert.Throws<UserException>(() => GeneAttentionProfile.Compute(device, model, cells, types, [7], null, null, CancellationToken.None));
    }

    public void Dispose() => device.Dispose();

    private static PreparedCells Prepare(string? where)
    {
        using var reader = new DataSetReader(
            LearningSamples.File("cells", 50), new DataSetSettings { Name = "cells", Label = "cell_type", Where = where, FewestGenes = 0, KeepLowQuality = true });
        return reader.Prepare(LearningSamples.Panel);
    }
}
