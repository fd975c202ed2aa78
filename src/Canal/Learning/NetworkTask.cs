using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>Where a batch's losses go: sums on the device, read when the epoch ends.</summary>
/// <param name="Sum">[1]: sum of the rows' losses, accumulated.</param>
/// <param name="Distillation">[1]: the distillation term, zero where there is none.</param>
internal readonly record struct LossSlots(Tensor Sum, Tensor Distillation);

/// <summary>
/// A training task over a parameter set: micro-batches, backward, clipping, Adam, losses that stay on the device until the epoch ends.
/// Takes all its memory at the start; a warm step allocates nothing.
/// </summary>
internal abstract class NetworkTask : ITrainingTask, IDisposable
{
    private readonly ParameterSet parameters;
    private readonly Adam adam;
    private readonly GradientClipping? clipping;
    private readonly Tensor losses;
    private readonly float[] counts;
    private readonly int batch;

    /// <summary>Prepares training of what trains in <paramref name="parameters"/> now.</summary>
    /// <param name="device">Where everything runs.</param>
    /// <param name="parameters">What is trained.</param>
    /// <param name="optimiser">Adam's settings.</param>
    /// <param name="maximumNorm">Gradients are clipped to it; infinity does not clip.</param>
    /// <param name="batch">Cells of a micro-batch.</param>
    /// <param name="stepsPerEpoch">Steps of an epoch.</param>
    protected NetworkTask(Device device, ParameterSet parameters, AdamSettings optimiser, double maximumNorm, int batch, int stepsPerEpoch)
    {
        (Device, this.parameters, this.batch) = (device, parameters, batch);
        Tape = new Tape(device);
        adam = new Adam(device, parameters, optimiser);
        clipping = double.IsPositiveInfinity(maximumNorm) ? null : new GradientClipping(device, (float)maximumNorm);
        losses = device.Allocate(new Shape(2 * stepsPerEpoch));
        device.Run(new Fill(losses, 0));
        counts = new float[stepsPerEpoch];
    }

    /// <inheritdoc/>
    public abstract int TrainingCells { get; }

    /// <summary>Where everything runs.</summary>
    protected Device Device { get; }

    /// <summary>The tape that records training steps.</summary>
    protected Tape Tape { get; }

    /// <inheritdoc/>
    public void Step(ReadOnlySpan<int> cells, int epoch, int step, double rate)
    {
        parameters.ZeroGradients();
        var slots = new LossSlots(losses.Slice(2 * step, 1), losses.Slice((2 * step) + 1, 1));
        Device.Run(new Fill(losses.Slice(2 * step, 2), 0));
        counts[step] = 0;
        for (var first = 0; first < cells.Length; first += batch)
        {
            var part = cells.Slice(first, Math.Min(batch, cells.Length - first));
            counts[step] += Accumulate(part, epoch, (double)part.Length / cells.Length, slots);
            Tape.Backward();
            Tape.Clear();
        }
        adam.Step(rate, clipping is null ? Tensor.None : clipping.Measure(parameters));
    }

    /// <summary>Forward over one micro-batch, recorded on <see cref="Tape"/>.</summary>
    /// <param name="cells">Training cells.</param>
    /// <param name="epoch">Complete epochs before this one.</param>
    /// <param name="share">What the micro-batch's mean loss counts in the step's.</param>
    /// <param name="slots">Where the losses go.</param>
    /// <returns>Number of rows with a loss: cells, or masked positions.</returns>
    protected abstract int Accumulate(ReadOnlySpan<int> cells, int epoch, double share, LossSlots slots);

    /// <inheritdoc/>
    public abstract (double Accuracy, double Loss) Validate(CancellationToken cancel);

    /// <inheritdoc/>
    public (double Loss, double Distillation) EpochLoss(int steps)
    {
        var values = Device.Read<float>(losses.Slice(0, 2 * steps));
        var (sum, rows, distillation) = (0.0, 0.0, 0.0);
        for (var step = 0; step < steps; step++)
        {
            sum += values[2 * step];
            rows += counts[step];
            distillation += values[(2 * step) + 1];
        }
        return ((sum / Math.Max(1, rows)) + (distillation / Math.Max(1, steps)), distillation / Math.Max(1, steps));
    }

    /// <inheritdoc/>
    public Dictionary<string, float[]> Capture(int stepsInEpoch)
    {
        var state = adam.Capture();
        return new Dictionary<string, float[]>(StringComparer.Ordinal)
        {
            ["parameters"] = CaptureParameters(),
            ["first_moment"] = state.FirstMoment,
            ["second_moment"] = state.SecondMoment,
            ["largest_second_moment"] = state.LargestSecondMoment,
            ["losses"] = Device.Read<float>(losses.Slice(0, 2 * stepsInEpoch)),
            ["counts"] = counts[..stepsInEpoch],
        };
    }

    /// <inheritdoc/>
    public void Restore(IReadOnlyDictionary<string, float[]> vectors, int stepsInEpoch, long updates)
    {
        RestoreParameters(vectors["parameters"]);
        adam.Restore(new AdamState(updates, vectors["first_moment"], vectors["second_moment"], vectors["largest_second_moment"]));
        Device.Write<float>(losses.Slice(0, 2 * stepsInEpoch), vectors["losses"]);
        vectors["counts"].CopyTo(counts, 0);
    }

    /// <inheritdoc/>
    public float[] CaptureParameters() => Device.Read<float>(parameters.TrainableValues);

    /// <inheritdoc/>
    public void RestoreParameters(float[] values) => parameters.WriteTrainable(values);

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        Tape.Dispose();
        adam.Dispose();
        clipping?.Dispose();
        losses.Storage.Dispose();
    }
}
