using Canal.Annotation;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Plan;
using Canal.Learning;
using Canal.Models;
using Canal.Planning;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Tests.Planning;

/// <summary>On the CUDA device, emulated, a job takes the memory and the work that were planned, to the byte, replayed steps included.</summary>
public sealed class EmulatedJobPlannerTests
{
    private static readonly ModelConfiguration Small = new() { Genes = 30, Width = 16, Blocks = 3, Heads = 2, HeadWidth = 8, Features = 16 };

    [SkippableTheory]
    [InlineData("fp32", 5)]
    [InlineData("bf16", 20)]
    [InlineData("f16", 20)]
    public void Annotation_TakesWhatIsPlanned(string precision, int cells)
    {
        var model = StandIns.AfterStageOne(Small, 4, 20, 1);
        var plan = Planner(precision).Annotate(model, cells);
        using var device = Open(precision);
        using var stand = StandIns.Cells(model.Panel, cells, 12, 1);
        using (var annotator = new Annotator(device, model)) annotator.Annotate(stand, new AnnotationSettings(), null, CancellationToken.None);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(plan.Work.Flops, device.FlopsRun);
        Assert.Equal(0u, device.Memory.Used);
    }

    [SkippableFact]
    public void Explanation_TakesWhatIsPlanned()
    {
        var model = StandIns.AfterStageOne(Small, 4, 20, 1);
        var plan = Planner("bf16").Explain(model, 20);
        using var device = Open("bf16");
        using var stand = StandIns.Cells(model.Panel, 20, 12, 1);
        string?[] types;
        using (var annotator = new Annotator(device, model))
        {
            var result = annotator.Annotate(stand, new AnnotationSettings(), null, CancellationToken.None);
            types = [.. Enumerable.Range(0, result.Count).Select(result.BestOf)];
        }
        GeneAttentionProfile.Compute(device, model, stand, types, null, null, null, CancellationToken.None);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(plan.Work.Flops, device.FlopsRun);
        Assert.Equal(0u, device.Memory.Used);
    }

    [SkippableTheory]
    [InlineData("fp32", 1)]
    [InlineData("bf16", 2)]
    public void Pretraining_TakesWhatIsPlanned_AndReplayedStepsChangeNoBit(string precision, int accumulation)
    {
        var model = StandIns.Fresh(Small, 1);
        var settings = new PretrainSettings { MaxEpochs = 2, Batch = 4, Accumulation = accumulation };
        var plan = Planner(precision).Pretrain(model, 20, settings);
        using var device = Open(precision);
        using var stand = StandIns.Cells(model.Panel, 20, 12, 1);
        var replayed = new Pretrainer(device).Pretrain(model, [new PretrainSource(stand, "", true)], settings, new LearningContext());
        Assert.True(Replays(device) > 0);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(plan.Work.Flops, device.FlopsRun);
        Assert.Equal(0u, device.Memory.Used);

        using var eager = Open(precision, captures: false);
        var run = new Pretrainer(eager).Pretrain(model, [new PretrainSource(stand, "", true)], settings, new LearningContext());
        Assert.Equal(0, Replays(eager));
        Assert.Equal(run.History, replayed.History);
        foreach (var (name, weights) in run.Model.Weights) Assert.True(weights.AsSpan().SequenceEqual(replayed.Model.Weights[name]), name);
    }

    private static long Replays(CudaDevice device) => ((EmulatedRuntime)device.Runtime).Replays;

    private static JobPlanner Planner(string precision) => new(null, PlanTarget.Cuda(Precision(precision)));

    private static CudaDevice Open(string precision, bool captures = true) => TestDevices.Emulated(Precision(precision), captures: captures);

    private static CudaPrecision Precision(string name) => CudaPrecision.All.Single(p => p.Name == name);
}
