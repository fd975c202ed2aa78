using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Optimizers;

/// <summary>Settings of <see cref="Adam"/>.</summary>
/// <param name="AmsGrad">Whether the largest second moment so far divides (Reddi et al. 2018); CANAL uses it.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
public sealed record AdamSettings(bool AmsGrad = true, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8);

/// <summary>What an unbroken run would have had in memory: enough to go on with the same bits.</summary>
/// <param name="Steps">Steps taken.</param>
/// <param name="FirstMoment">[P].</param>
/// <param name="SecondMoment">[P].</param>
/// <param name="LargestSecondMoment">[P]; empty without AMSGrad.</param>
public sealed record AdamState(long Steps, float[] FirstMoment, float[] SecondMoment, float[] LargestSecondMoment);

/// <summary>Adam (Kingma, Ba 2015), optionally AMSGrad, over everything that trains in a parameter set: one operation a step.</summary>
public sealed class Adam : IDisposable
{
    private readonly Device device;
    private readonly ParameterSet parameters;
    private readonly AdamSettings settings;
    private readonly Tensor first, second, largest, coefficients;
    private bool isPrepared;

    /// <summary>An optimiser with zero moments for what trains in <paramref name="parameters"/> now.</summary>
    public Adam(Device device, ParameterSet parameters, AdamSettings settings)
    {
        if (parameters.Gradients.IsNone) throw new ArgumentException("Nothing trains: choose a trainable set first.", nameof(parameters));
        (this.device, this.parameters, this.settings) = (device, parameters, settings);
        first = Zeros();
        second = Zeros();
        largest = settings.AmsGrad ? Zeros() : Tensor.None;
        coefficients = device.Allocate(new Shape(2));
    }

    /// <summary>Steps taken so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Updates the parameters from their gradients: <see cref="Prepare"/>, then <see cref="Update"/>.</summary>
    /// <param name="rate">Learning rate.</param>
    /// <param name="gradientScale">[1], multiplies every gradient (<see cref="GradientClipping"/>); none means 1.</param>
    public void Step(double rate, Tensor gradientScale = default)
    {
        Prepare(rate);
        Update(gradientScale);
    }

    /// <summary>
    /// Counts a step and sends what it depends on to the device. Call it once before every <see cref="Update"/>, or before every replay of
    /// a captured one; it cannot be captured itself.
    /// </summary>
    /// <param name="rate">Learning rate.</param>
    public void Prepare(double rate)
    {
        Steps++;
        Span<float> values = stackalloc float[2];
        AdamUpdate.StepCoefficients(values, Steps, rate, settings.Beta1, settings.Beta2);
        device.Write<float>(coefficients, values);
        isPrepared = true;
    }

    /// <summary>Runs the step that was prepared: one operation, which reads nothing from the host and can be captured.</summary>
    /// <param name="gradientScale">[1], multiplies every gradient; none means 1.</param>
    /// <exception cref="InvalidOperationException">No step was prepared.</exception>
    public void Update(Tensor gradientScale = default)
    {
        if (!isPrepared) throw new InvalidOperationException("Adam: prepare a step before it is run.");
        device.Run(new AdamUpdate(parameters.TrainableValues, parameters.Gradients, first, second, largest, gradientScale,
            coefficients, parameters.TrainableHalf, settings.Beta1, settings.Beta2, settings.Epsilon));
    }

    /// <summary>The optimiser's state, for resuming.</summary>
    public AdamState Capture() => new(Steps, device.Read<float>(first), device.Read<float>(second), largest.IsNone ? [] : device.Read<float>(largest));

    /// <summary>Goes on from a captured state.</summary>
    /// <exception cref="ArgumentException">The state belongs to another set of parameters or to other settings.</exception>
    public void Restore(AdamState state)
    {
        if (state.FirstMoment.Length != first.Count || state.SecondMoment.Length != first.Count || state.LargestSecondMoment.Length != (largest.IsNone ? 0 : largest.Count))
        {
            throw new ArgumentException($"The saved optimiser has {state.FirstMoment.Length} values, this one {first.Count}: the model or what trains has changed.", nameof(state));
        }
        Steps = state.Steps;
        device.Write<float>(first, state.FirstMoment);
        device.Write<float>(second, state.SecondMoment);
        if (!largest.IsNone) device.Write<float>(largest, state.LargestSecondMoment);
    }

    /// <summary>Returns the moments and coefficients to the device.</summary>
    public void Dispose()
    {
        first.Storage.Dispose();
        second.Storage.Dispose();
        if (!largest.IsNone) largest.Storage.Dispose();
        coefficients.Storage.Dispose();
    }

    private Tensor Zeros()
    {
        var zeros = device.Allocate(parameters.Gradients.Shape);
        device.Run(new Fill(zeros, 0f));
        return zeros;
    }
}
