using Canal.Annotation;
using Canal.Data;
using Canal.Engine.Devices.Cpu;
using Canal.Learning;
using Canal.Testing;

namespace Canal.Tests.Learning;

public class RealCellsLearningTests
{
    /// <summary>128 cells of Lawlor et al. 2017 (beta, ductal), 200 genes: a minute's patience is not needed to tell these apart.</summary>
    [SkippableFact]
    public void BetaAndDuctalCells_AreToldApart_FromScratch()
    {
        var path = SharedFiles.Require("data", "pancreas_lawlor_small.h5ad");
        using var device = new CpuDevice(new CpuOptions());
        using var training = DataSetReader.Open(path, new DataSetSettings { Name = "lawlor", Label = "cell_type", Where = "split == train", FewestGenes = 0 });
        var fresh = NewModel.Create([training], null, 200, new StreamGeometry(32, 2, 2, 16, 32), seed: 1);
        var (prepared, cells) = DataSets.Stage(training, fresh.Panel);
        using var kept = prepared;
        var settings = new LearningSettings { MaxEpochs = 6, Rate = 2e-3, Schedule = ScheduleKind.Steps };
        var result = new StageTrainer(device).Learn(fresh, cells, settings, StageCompany.Alone, new LearningContext());

        using var test = DataSetReader.Open(path, new DataSetSettings { Name = "test", Label = "cell_type", Where = "split == test", FewestGenes = 0, KeepLowQuality = true });
        using var unseen = DataSets.Annotate(test, result.Model);
        using var annotator = new Annotator(device, result.Model);
        var annotated = annotator.Annotate(unseen, new AnnotationSettings(), null, CancellationToken.None);
        var right = Enumerable.Range(0, unseen.Count).Count(c => annotated.BestOf(c) == unseen.Types[unseen.Labels[c]]);
        Assert.True(right >= 0.9 * unseen.Count, $"{right} of {unseen.Count}");
    }
}
