using System.Globalization;
using Canal.Engine.Optimizers;

namespace Canal.Learning;

/// <summary>The learning rate of each step of a run, and which schedule it is.</summary>
/// <param name="Description">For people: which schedule runs, why, and in what unit it counts.</param>
/// <param name="Schedule">The schedule.</param>
/// <param name="ByStep">Whether it counts steps; else epochs.</param>
internal sealed record RateSchedule(string Description, ILearningRateSchedule Schedule, bool ByStep)
{
    /// <summary>Epochs of CANAL's first cycle; by steps, an epoch counts as <see cref="LearningSettings.ShortEpochSteps"/> steps at least.</summary>
    private const int FirstCycle = 15;
    private const int WarmUpShare = 10;

    /// <summary>The schedule that a kind means for a run of this size (method.md section 4).</summary>
    /// <param name="kind">By epochs, by steps, or chosen by the length of an epoch.</param>
    /// <param name="rate">Largest rate.</param>
    /// <param name="stepsPerEpoch">Steps of an epoch.</param>
    /// <param name="maxEpochs">Most epochs.</param>
    public static RateSchedule For(ScheduleKind kind, double rate, int stepsPerEpoch, int maxEpochs)
    {
        var byStep = kind == ScheduleKind.Steps || (kind == ScheduleKind.Auto && stepsPerEpoch < LearningSettings.ShortEpochSteps);
        var why = kind == ScheduleKind.Auto
            ? string.Create(CultureInfo.InvariantCulture, $" (an epoch has {stepsPerEpoch} steps, {(byStep ? "under" : "not under")} {LearningSettings.ShortEpochSteps})")
            : "";
        if (!byStep)
        {
            return new RateSchedule(string.Create(CultureInfo.InvariantCulture, $"schedule by epochs{why}: warm restarts up to {rate:g3}, cycles of 15, 25, 45, 85 epochs"), new WarmRestarts(rate), false);
        }
        var longest = Math.Min((long)maxEpochs * stepsPerEpoch, Math.Max((long)FirstCycle * LearningSettings.ShortEpochSteps, (long)FirstCycle * stepsPerEpoch));
        var total = (int)Math.Min(longest, int.MaxValue);
        var warmUp = Math.Max(1, total / WarmUpShare);
        return new RateSchedule(
            string.Create(CultureInfo.InvariantCulture, $"schedule by steps{why}: warm-up of {warmUp} steps to {rate:g3}, cosine to step {total}"), new WarmUpCosine(rate, warmUp, total), true);
    }

    /// <summary>The rate of the step after <paramref name="steps"/> steps.</summary>
    public double Rate(long steps, int stepsPerEpoch) => Schedule.Rate((int)Math.Min(ByStep ? steps : steps / stepsPerEpoch, int.MaxValue));
}
