using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>Representation distillation: a loss that adds to the representation's gradient (method.md section 4).</summary>
public sealed class DistillationStep : Step
{
    private Variable representation = null!;
    private Tensor previous;
    private float weight;

    /// <summary>Computes the loss, weight included, and records its gradient.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="representation">[B, R].</param>
    /// <param name="previous">[B, R] of the previous stage's model, kept by the caller until after the backward pass.</param>
    /// <param name="weight">lambda · K_old / K.</param>
    /// <param name="loss">[1], written.</param>
    public static void Run(Tape tape, Variable representation, Tensor previous, float weight, Tensor loss)
    {
        tape.Device.Run(new DistillationForward(loss, representation.Value, previous, weight));
        if (!representation.NeedsGradient) return;
        var step = tape.Rent<DistillationStep>();
        (step.representation, step.previous, step.weight) = (representation.Hold(), previous, weight);
        tape.Record(step, null);
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape) =>
        tape.Device.Run(new DistillationBackward(representation.GradientToAddTo(), representation.Value, previous, weight));

    /// <inheritdoc/>
    public override void Release()
    {
        representation.Release();
        (representation, previous) = (null!, Tensor.None);
    }
}
