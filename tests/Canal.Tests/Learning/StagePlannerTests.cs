using Canal.Engine.Devices.Cpu;
using Canal.Learning;
using Canal.Models;

namespace Canal.Tests.Learning;

public class StagePlannerTests
{
    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(true, 3)]
    public void ThePlan_IsWhatTheStageThenTakes_ToTheByte(bool secondStage, int threads)
    {
        using var teacher = new CpuDevice(new CpuOptions { Threads = 1 });
        var (one, two) = (LearningSamples.Stage("one", 12, 0, 1, 2), LearningSamples.Stage("two", 13, 1, 2, 3));
        var previous = LearningSamples.Fresh();
        if (secondStage) previous = Learn(teacher, previous, one);
        var cells = secondStage ? two : one;

        var plan = StagePlanner.Plan(previous, cells, LearningSamples.Settings, null, threads);

        using var device = new CpuDevice(new CpuOptions { Threads = threads });
        Learn(device, previous, cells);
        Assert.True(plan.CachesInMemory);
        Assert.Equal(secondStage, plan.CacheBytes > 0);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.True(plan.FlopsPerEpoch > plan.FlopsBefore);
    }

    [Fact]
    public void ALimit_SendsTheCachesToAScratchFile_AndIsKept()
    {
        using var teacher = new CpuDevice(new CpuOptions { Threads = 1 });
        var previous = Learn(teacher, LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 1, 2));
        var cells = LearningSamples.Stage("two", 60, 1, 2, 3);
        var free = StagePlanner.Plan(previous, cells, LearningSamples.Settings, null, 1);
        var limit = free.PeakBytes - (free.CacheBytes / 2);
        var limited = StagePlanner.Plan(previous, cells, LearningSamples.Settings, (nuint)limit, 1);
        Assert.False(limited.CachesInMemory);
        Assert.True(limited.PeakBytes <= limit);
    }

    [Fact]
    public void AnnotationAndPretraining_TakeWhatIsPlanned()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var model = Learn(device, LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 1));
        var annotation = JobPlanner.Annotate(model, 100, null, 1);
        var more = JobPlanner.Annotate(model, 1000, null, 1);
        Assert.Equal(annotation.PeakBytes, more.PeakBytes);
        Assert.Equal(9 * annotation.Flops, more.Flops);     // 7 and 63 micro-batches of 16
        var epoch = JobPlanner.Pretrain(LearningSamples.Fresh(), 100, new PretrainSettings(), null, 1);
        Assert.True(epoch.Flops > 0 && epoch.PeakBytes > 0);
        Assert.Throws<InsufficientMemoryException>(() => JobPlanner.Pretrain(LearningSamples.Fresh(), 100, new PretrainSettings(), (nuint)epoch.PeakBytes / 2, 1));
    }

    private static AnnotationModel Learn(CpuDevice device, AnnotationModel previous, StageCells cells) =>
        new StageTrainer(device).Learn(previous, cells, LearningSamples.Settings, StageCompany.Alone, new LearningContext()).Model;
}
