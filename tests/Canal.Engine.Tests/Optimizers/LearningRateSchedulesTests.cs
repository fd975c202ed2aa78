using Canal.Engine.Optimizers;
using Canal.Testing;

namespace Canal.Engine.Tests.Optimizers;

public sealed class LearningRateSchedulesTests
{
    [SkippableTheory]
    [InlineData("max_lr_2e-4", 2e-4)]
    [InlineData("max_lr_1e-4", 1e-4)]
    public void Warm_restarts_agree_with_the_reference(string name, double maximum)
    {
        var golden = SharedFiles.Golden("optim", "schedule");
        var schedule = new WarmRestarts(maximum);
        var rates = Enumerable.Range(0, 120).Select(schedule.Rate).ToArray();
        // The same formula in float64, written in another order: a roundoff at 2e-4 is 2.7e-20, and a handful of them add up.
        Closeness.Assert(name, rates, golden.Doubles(name + ".lr"), 2e-19);
    }

    [Fact]
    public void Warm_restarts_begin_each_cycle_at_the_minimum()
    {
        var schedule = new WarmRestarts(2e-4);
        Assert.All((int[])[0, 15, 40, 85, 170], start => Assert.Equal(1e-6, schedule.Rate(start)));
        Assert.Equal(2e-4 * 0.9, schedule.Rate(20), 1e-18);
    }

    [Fact]
    public void Warm_up_and_cosine_by_step_rise_peak_fall_and_stay()
    {
        var schedule = new WarmUpCosine(1e-3, warmUpSteps: 10, totalSteps: 110);
        var rates = Enumerable.Range(0, 130).Select(schedule.Rate).ToArray();
        Assert.True(rates[0] > 0);
        for (var step = 1; step < 10; step++) Assert.True(rates[step] > rates[step - 1]);
        Assert.Equal(1e-3, rates[9], 1e-15);
        Assert.Equal(1e-3, rates[10], 1e-15);
        for (var step = 11; step <= 110; step++) Assert.True(rates[step] < rates[step - 1]);
        Assert.Equal((1e-3 + 1e-6) / 2, rates[60], 1e-15);
        Assert.All(rates[110..], rate => Assert.Equal(1e-6, rate));
    }

    [Fact]
    public void Warm_up_and_cosine_work_without_warm_up_and_without_steps()
    {
        Assert.Equal(1e-3, new WarmUpCosine(1e-3, 0, 5).Rate(0));
        Assert.Equal(1e-6, new WarmUpCosine(1e-3, 0, 0).Rate(0));
    }
}
