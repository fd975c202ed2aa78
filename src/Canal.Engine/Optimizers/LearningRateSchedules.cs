namespace Canal.Engine.Optimizers;

/// <summary>Learning rate as a function of the epoch or the step, counted from 0.</summary>
public interface ILearningRateSchedule
{
    /// <summary>The rate used at <paramref name="time"/>.</summary>
    double Rate(int time);
}

/// <summary>
/// Cosine annealing with warm-up and restarts, by epoch (CANAL and scBERT; method.md section 4): cycles of 15, 25, 45, 85, ... epochs, a
/// warm-up of 5 from the minimum in each, the maximum 0.9 times lower from cycle to cycle.
/// </summary>
/// <param name="maximum">Highest rate of the first cycle, 2e-4 in CANAL.</param>
/// <param name="minimum">1e-6.</param>
/// <param name="firstCycle">Epochs of the first cycle.</param>
/// <param name="multiplier">Growth of a cycle's cosine part.</param>
/// <param name="warmUp">Epochs of linear warm-up in each cycle.</param>
/// <param name="decay">Factor on the maximum from cycle to cycle.</param>
public sealed class WarmRestarts(double maximum, double minimum = 1e-6, int firstCycle = 15, int multiplier = 2, int warmUp = 5, double decay = 0.9)
    : ILearningRateSchedule
{
    /// <inheritdoc/>
    public double Rate(int time)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(time);
        var (position, length, cycle) = (time, firstCycle, 0);
        while (position >= length)
        {
            position -= length;
            length = ((length - warmUp) * multiplier) + warmUp;
            cycle++;
        }
        var range = (maximum * Math.Pow(decay, cycle)) - minimum;
        return position < warmUp
            ? minimum + (range * position / warmUp)
            : minimum + (range * (1 + Math.Cos(Math.PI * (position - warmUp) / (length - warmUp))) / 2);
    }
}

/// <summary>
/// Linear warm-up, then one cosine down to the minimum, by step: for data so small that an epoch has under 100 steps and a schedule by
/// epoch would hardly move.
/// </summary>
/// <param name="maximum">Highest rate.</param>
/// <param name="warmUpSteps">Steps until it is reached; the first step already runs above zero.</param>
/// <param name="totalSteps">Steps after which the rate stays at the minimum.</param>
/// <param name="minimum">Rate at the end.</param>
public sealed class WarmUpCosine(double maximum, int warmUpSteps, int totalSteps, double minimum = 1e-6) : ILearningRateSchedule
{
    /// <inheritdoc/>
    public double Rate(int time)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(time);
        if (time < warmUpSteps) return minimum + ((maximum - minimum) * (time + 1) / warmUpSteps);
        if (time >= totalSteps) return minimum;
        return minimum + ((maximum - minimum) * (1 + Math.Cos(Math.PI * (time - warmUpSteps) / (totalSteps - warmUpSteps))) / 2);
    }
}
