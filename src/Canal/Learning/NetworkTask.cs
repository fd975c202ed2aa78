using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>Where a step's losses go: sums on the device, read when the epoch ends.</summary>
/// <param name="Sum">[1]: sum of the rows' losses, accumulated.</param>
/// <param name="Distillation">[1]: the distillation term, zero where there is none.</param>
internal readonly record struct LossSlots(Tensor Sum, Tensor Distillation);

/// <summary>A micro-batch of a step: what its operations depend on besides the device's memory.</summary>
/// <param name="Cells">Its cells.</param>
/// <param name="StepCells">Cells of the whole step.</param>
/// <param name="IsFirst">Whether the step begins with it: gradients start at zero.</param>
/// <param name="IsLast">Whether the step ends with it: the parameters are updated.</param>
internal readonly record struct MicroBatch(int Cells, int StepCells, bool IsFirst, bool IsLast)
{
    /// <summary>What its mean loss counts in the step's.</summary>
    public double Share => (double)Cells / StepCells;
}

/// <summary>
/// A training task over a parameter set: micro-batches, backward, clipping, Adam, losses that stay on the device until the epoch ends.
/// Takes all its memory at the start; a warm step allocates nothing.
/// </summary>
internal abstract class NetworkTask : ITrainingTask, IDisposable
{
    private const int Validating = -1;
    private readonly ParameterSet parameters;
    private readonly Adam adam;
    private readonly GradientClipping? clipping;
    // Two numbers a step; then two of the running step, at one place so that a step does not depend on its number; then the row weight.
    private readonly Tensor losses, stepLosses;
    private readonly CapturedSteps steps;
    private readonly float[] counts;
    private readonly int batch;
    private int lastCells;      // of a micro-batch; 0 before the first

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
        losses = device.Allocate(new Shape((2 * (stepsPerEpoch + 1)) + 1));
        device.Run(new Fill(losses, 0));
        stepLosses = losses.Slice(2 * stepsPerEpoch, 2);
        RowWeight = losses.Slice(2 * (stepsPerEpoch + 1), 1);
        steps = new CapturedSteps(device, Compute, Tape.Clear);
        counts = new float[stepsPerEpoch];
    }

    /// <inheritdoc/>
    public abstract int TrainingCells { get; }

    /// <summary>Where everything runs.</summary>
    protected Device Device { get; }

    /// <summary>The tape that records training steps.</summary>
    protected Tape Tape { get; }

    /// <summary>[1]: for a weight of the loss's rows that changes from micro-batch to micro-batch; written by <see cref="Load"/>.</summary>
    protected Tensor RowWeight { get; }

    /// <summary>Micro-batches that were replayed from a recording so far.</summary>
    public long ReplayedMicroBatches => steps.Replays;

    /// <inheritdoc/>
    public void Step(ReadOnlySpan<int> cells, int epoch, int step, double rate)
    {
        counts[step] = 0;
        for (var first = 0; first < cells.Length; first += batch)
        {
            var part = cells.Slice(first, Math.Min(batch, cells.Length - first));
            MakeRoom(part.Length);
            var microBatch = new MicroBatch(part.Length, cells.Length, first == 0, first + part.Length == cells.Length);
            counts[step] += Load(part, microBatch, epoch);
            if (microBatch.IsLast) adam.Prepare(rate);
            steps.Run(microBatch);
        }
        Device.Copy(losses.Slice(2 * step, 2), stepLosses);
    }

    /// <summary>Sends one micro-batch to the device: all that differs from one of the same size.</summary>
    /// <param name="cells">Training cells.</param>
    /// <param name="part">Its size, and its place in the step.</param>
    /// <param name="epoch">Complete epochs before this one.</param>
    /// <returns>Number of rows with a loss: cells, or masked positions.</returns>
    protected abstract int Load(ReadOnlySpan<int> cells, MicroBatch part, int epoch);

    /// <summary>Forward over the micro-batch that was loaded, recorded on <see cref="Tape"/>.</summary>
    /// <param name="part">Its size, and its place in the step.</param>
    /// <param name="slots">Where the losses go.</param>
    protected abstract void Accumulate(MicroBatch part, LossSlots slots);

    // Batches of another size (the last of a pass), validation and what ran before take tensors of other sizes: without this the pool would hold
    // the memory of all of them. On a card each recorded step keeps its own, and taking memory takes time.
    private void MakeRoom(int cells)
    {
        if (cells != lastCells && Device.Kind == DeviceKind.Cpu) Device.Memory.Trim();
        lastCells = cells;
    }

    private void Compute(MicroBatch part)
    {
        if (part.IsFirst)
        {
            parameters.ZeroGradients();
            Device.Run(new Fill(stepLosses, 0));
        }
        Accumulate(part, new LossSlots(stepLosses.Slice(0, 1), stepLosses.Slice(1, 1)));
        Tape.Backward();
        Tape.Clear();
        if (part.IsLast) adam.Update(clipping is null ? Tensor.None : clipping.Measure(parameters));
    }

    /// <inheritdoc/>
    public (double Accuracy, double Loss) Validate(CancellationToken cancel)
    {
        MakeRoom(Validating);
        return ValidateCells(cancel);
    }

    /// <summary>Accuracy and mean loss over the validation cells; NaN without any.</summary>
    protected abstract (double Accuracy, double Loss) ValidateCells(CancellationToken cancel);

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
        steps.Dispose();
        Tape.Dispose();
        adam.Dispose();
        clipping?.Dispose();
        losses.Storage.Dispose();
    }
}
