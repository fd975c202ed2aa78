using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>Layer normalisation over channels. Saves its input and each row's mean and reciprocal deviation.</summary>
public sealed class LayerNormStep : Step
{
    private Variable input = null!;
    private Parameter gamma = null!, beta = null!;
    private Tensor mean, rstd;

    /// <summary>Runs forward and records what is needed.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[N, C].</param>
    /// <param name="gamma">[C].</param>
    /// <param name="beta">[C].</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="type">Element type of the result.</param>
    /// <returns>[N, C].</returns>
    public static Variable Run(Tape tape, Variable x, Parameter gamma, Parameter beta, float epsilon, DType type = DType.Float32)
    {
        var y = tape.Allocate(type, x.Value.Shape, x.NeedsGradient || gamma.Trains || beta.Trains);
        if (!y.NeedsGradient)
        {
            tape.Device.Run(new LayerNormForward(y.Value, Tensor.None, Tensor.None, x.Value, gamma.Value, beta.Value, epsilon));
            return y;
        }
        var step = tape.Rent<LayerNormStep>();
        (step.input, step.gamma, step.beta) = (x.Hold(), gamma, beta);
        step.mean = tape.Device.Allocate(new Shape(x.Value.Shape.Rows));
        step.rstd = tape.Device.Allocate(new Shape(x.Value.Shape.Rows));
        tape.Record(step, y);
        tape.Device.Run(new LayerNormForward(y.Value, step.mean, step.rstd, x.Value, gamma.Value, beta.Value, epsilon));
        return y;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        var accumulate = false;
        var dx = input.NeedsGradient ? input.GradientTarget(out accumulate) : Tensor.None;
        tape.Device.Run(new LayerNormBackward(dx, gamma.Gradient, beta.Gradient, Output!.Gradient, input.Value, mean, rstd, gamma.Value, accumulate));
    }

    /// <inheritdoc/>
    public override void Release()
    {
        input.Release();
        mean.Storage.Dispose();
        rstd.Storage.Dispose();
        (input, gamma, beta, mean, rstd) = (null!, null!, null!, Tensor.None, Tensor.None);
    }
}
