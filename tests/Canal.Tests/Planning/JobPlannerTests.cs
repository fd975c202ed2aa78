using Canal.Annotation;
using Canal.Engine.Devices.Cpu;
using Canal.Learning;
using Canal.Models;
using Canal.Planning;

namespace Canal.Tests.Planning;

/// <summary>A plan equals what the same job then takes: the pool's high-water mark to the byte, the floating-point operations to the last.</summary>
public sealed class JobPlannerTests
{
    private static readonly ModelConfiguration Small = new() { Genes = 30, Width = 16, Blocks = 3, Heads = 2, HeadWidth = 8, Features = 16 };

    [Theory]
    [InlineData(5, 1)]
    [InlineData(40, 1)]
    [InlineData(40, 3)]
    public void Annotation_TakesWhatIsPlanned(int cells, int threads)
    {
        var model = StandIns.AfterStageOne(Small, 4, 20, 1);
        var plan = new JobPlanner(null, threads).Annotate(model, cells);
        using var device = Device(threads);
        using var stand = StandIns.Cells(model.Panel, cells, 12, 1);
        using (var annotator = new Annotator(device, model)) annotator.Annotate(stand, new AnnotationSettings(), null, CancellationToken.None);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(plan.Work.Flops, device.FlopsRun);
        Assert.Equal(plan.WorkerScratchBytes, (ulong)device.Workers.ScratchBytes);
    }

    [Fact]
    public void Explanation_TakesWhatIsPlanned()
    {
        var model = StandIns.AfterStageOne(Small, 4, 20, 1);
        var plan = new JobPlanner(null, 2).Explain(model, 40);
        using var device = Device(2);
        using var stand = StandIns.Cells(model.Panel, 40, 12, 1);
        string?[] types;
        using (var annotator = new Annotator(device, model))
        {
            var result = annotator.Annotate(stand, new AnnotationSettings(), null, CancellationToken.None);
            types = [.. Enumerable.Range(0, result.Count).Select(result.BestOf)];
        }
        GeneAttentionProfile.Compute(device, model, stand, types, null, null, null, CancellationToken.None);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(plan.Work.Flops, device.FlopsRun);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void Stage_TakesWhatIsPlanned(int knownTypes)
    {
        var model = knownTypes == 0 ? StandIns.Base(Small, 1) : StandIns.AfterStageOne(Small, knownTypes, 20, 1);
        var settings = new LearningSettings { MaxEpochs = 3, Patience = 10, Batch = 7, BankCapacity = 20 };
        var plan = new JobPlanner(null, 2).Learn(model, 40, 2, settings);
        using var device = Device(2);
        using var stand = StandIns.Cells(model.Panel, 40, 12, 1);
        string[] types = [.. model.Library.Names, .. StandIns.Numbered("new type", 2)];
        new StageTrainer(device).Learn(model, StandIns.Stage(stand, types), settings, StageCompany.Alone, new LearningContext());
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(plan.Work.Flops, device.FlopsRun);
        Assert.True(plan.Cache is { InMemory: true, Bytes: > 0 });
    }

    [Fact]
    public void Pretraining_TakesWhatIsPlanned()
    {
        var model = StandIns.Fresh(Small, 1);
        var settings = new PretrainSettings { MaxEpochs = 2, Batch = 6 };
        var plan = new JobPlanner(null, 2).Pretrain(model, 50, settings);
        using var device = Device(2);
        using var stand = StandIns.Cells(model.Panel, 50, 12, 1);
        new Pretrainer(device).Pretrain(model, [new PretrainSource(stand, "", true)], settings, new LearningContext());
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(plan.Work.Flops, device.FlopsRun);
    }

    [Fact]
    public void AJobThatCannotKeepTheLimit_IsRefusedBeforeItRuns()
    {
        var model = StandIns.Fresh(Small, 1);
        var peak = new JobPlanner(null, 1).Pretrain(model, 50, new PretrainSettings()).PeakBytes;
        Assert.Throws<InsufficientMemoryException>(() => new JobPlanner((nuint)(peak / 2), 1).Pretrain(model, 50, new PretrainSettings()));
    }

    [Fact]
    public void ManyCells_TakeNoMoreMemoryAndProportionallyMoreWork()
    {
        var model = StandIns.AfterStageOne(Small, 4, 20, 1);
        var planner = new JobPlanner(null, 1);
        var (few, many) = (planner.Annotate(model, 160), planner.Annotate(model, 16_000_000));
        Assert.Equal(few.PeakBytes, many.PeakBytes);
        Assert.Equal(100_000 * few.Work.Flops, many.Work.Flops);
    }

    [Fact]
    public void TheEstimate_IsTheWorkAtTheMeasuredSpeed()
    {
        using var device = Device(1);
        var speed = MachineSpeed.Measure(device, Small, 14);
        Assert.Equal(0u, device.Memory.Used - (device.Workers.ScratchBytes == 0 ? 0 : Engine.Tensors.MemoryPool.SizeClass(device.Workers.ScratchBytes)));
        var work = new JobPlanner(null, 1).Annotate(StandIns.AfterStageOne(Small, 4, 20, 1), 160).Work;
        Assert.True(speed.Seconds(work) > 0);
        Assert.Equal(speed.Seconds(work.Times(3)), 3 * speed.Seconds(work), 1e-9);
        Assert.Contains(Engine.Operations.EncoderBlockForward.Name, speed.GigaflopsPerSecond.Keys);
    }

    private static CpuDevice Device(int threads) => new(new CpuOptions { Threads = threads });
}
