using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Plan;
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

        var plan = StagePlanner.Plan(previous, cells, LearningSamples.Settings, null, PlanTarget.Cpu(threads));

        using var device = new CpuDevice(new CpuOptions { Threads = threads });
        Learn(device, previous, cells);
        Assert.True(plan.CachesInMemory);
        Assert.Equal(secondStage, plan.CacheBytes > 0);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.True(plan.Epoch.Flops > plan.Before.Flops);
    }

    [Fact]
    public void ALimit_SendsTheCachesToAScratchFile_AndIsKept()
    {
        using var teacher = new CpuDevice(new CpuOptions { Threads = 1 });
        var previous = Learn(teacher, LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 1, 2));
        var cells = LearningSamples.Stage("two", 60, 1, 2, 3);
        var free = StagePlanner.Plan(previous, cells, LearningSamples.Settings, null, PlanTarget.Cpu(1));
        var limit = free.PeakBytes - (free.CacheBytes / 2);
        var limited = StagePlanner.Plan(previous, cells, LearningSamples.Settings, (nuint)limit, PlanTarget.Cpu(1));
        Assert.False(limited.CachesInMemory);
        Assert.True(limited.PeakBytes <= limit);
    }

    [Theory]
    [InlineData(14)]     // 22 to train on: 10, 10 and 2
    [InlineData(16)]     // 26: 10, 10 and 6
    public void AShortLastBatch_TakesNoMemoryBesideThatOfAFullOne(int cellsOfAType)
    {
        var settings = LearningSamples.Settings with { Batch = 10 };
        var even = Peak(LearningSamples.Stage("even", 12, 0, 1));     // 20: 10 and 10
        Assert.Equal(even, Peak(LearningSamples.Stage("odd", cellsOfAType, 0, 1)));

        nuint Peak(StageCells cells)
        {
            using var device = new CpuDevice(new CpuOptions { Threads = 1 });
            new StageTrainer(device).Learn(LearningSamples.Fresh(), cells, settings, StageCompany.Alone, new LearningContext());
            return device.Memory.HighWater;
        }
    }

    private static AnnotationModel Learn(CpuDevice device, AnnotationModel previous, StageCells cells) =>
        new StageTrainer(device).Learn(previous, cells, LearningSamples.Settings, StageCompany.Alone, new LearningContext()).Model;
}
