using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>Exact GELU, perhaps of its input and a bias. Saves its input; the gradient is computed in the memory of the output's.</summary>
public sealed class GeluStep : Step
{
    private Variable input = null!;
    private Parameter? bias;

    private Tensor Bias => bias?.Value ?? Tensor.None;

    /// <summary>Runs forward and records what is needed.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[N, C].</param>
    /// <param name="bias">[C], added to the rows of <paramref name="x"/>; null where it is in them already.</param>
    /// <returns>[N, C], of the element type of <paramref name="x"/>.</returns>
    public static Variable Run(Tape tape, Variable x, Parameter? bias = null)
    {
        var y = tape.Allocate(x.Value.Type, x.Value.Shape, x.NeedsGradient || bias is { Trains: true });
        tape.Device.Run(new GeluForward(y.Value, x.Value, bias?.Value ?? Tensor.None));
        if (y.NeedsGradient)
        {
            var step = tape.Rent<GeluStep>();
            (step.input, step.bias) = (x.Hold(), bias);
            tape.Record(step, y);
        }
        return y;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        if (!input.HasGradient)
        {
            input.TakeGradient(Output!);
            tape.Device.Run(new GeluBackward(input.Gradient, input.Gradient, input.Value, Bias: Bias));
            if (bias is { Trains: true }) tape.Device.Run(new ColumnSum(bias.Gradient, input.Gradient));
            return;
        }
        if (bias is not { Trains: true })
        {
            tape.Device.Run(new GeluBackward(input.Gradient, Output!.Gradient, input.Value, Accumulate: true, Bias));
            return;
        }
        // The bias's gradient is the sum of this contribution alone.
        var contribution = input.BeginContribution();
        tape.Device.Run(new GeluBackward(contribution, Output!.Gradient, input.Value, Bias: Bias));
        tape.Device.Run(new ColumnSum(bias.Gradient, contribution));
        input.CompleteContribution(contribution);
    }

    /// <inheritdoc/>
    public override void Release()
    {
        input.Release();
        (input, bias) = (null!, null);
    }
}
