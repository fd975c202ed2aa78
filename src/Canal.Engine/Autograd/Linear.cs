using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>y = x W^T (+ b (+ residual)). dx = dy W, dW += dy^T x, db += column sums of dy; the residual takes dy as it is.</summary>
public sealed class LinearStep : Step
{
    private Variable input = null!;
    private Variable? residual;
    private Parameter weight = null!;
    private Parameter? bias;
    private bool savesInput;

    /// <summary>Runs forward and records what is needed.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[N, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="residual">[N, out], or null; needs a bias.</param>
    /// <returns>[N, out].</returns>
    public static Variable Run(Tape tape, Variable x, Parameter weight, Parameter? bias, Variable? residual = null)
    {
        var depends = x.NeedsGradient || weight.Trains || bias is { Trains: true } || residual is { NeedsGradient: true };
        var y = tape.Allocate(new Shape(x.Value.Shape.Rows, weight.Shape[0]), depends);
        if (bias is not null) tape.Device.Run(new BroadcastBias(y.Value, bias.Value, residual?.Value ?? Tensor.None));
        tape.Device.Run(new MatMul(y.Value, x.Value, weight.Value, TransposeB: true, Accumulate: bias is not null));
        if (y.NeedsGradient)
        {
            var step = tape.Rent<LinearStep>();
            (step.input, step.residual, step.weight, step.bias, step.savesInput) = (x, residual, weight, bias, weight.Trains);
            if (step.savesInput) x.Hold();
            tape.Record(step, y);
        }
        return y;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        var dy = Output!.Gradient;
        if (weight.Trains) tape.Device.Run(new MatMul(weight.Gradient, dy, input.Value, TransposeA: true, Accumulate: true));
        if (bias is { Trains: true }) tape.Device.Run(new ColumnSum(bias.Gradient, dy));
        if (input.NeedsGradient)
        {
            var dx = input.GradientTarget(out var accumulate);
            tape.Device.Run(new MatMul(dx, dy, weight.Value, Accumulate: accumulate));
        }
        if (residual is { NeedsGradient: true }) residual.TakeGradient(Output);
    }

    /// <inheritdoc/>
    public override void Release()
    {
        if (savesInput) input.Release();
        (input, residual, weight, bias) = (null!, null, null!, null);
    }
}
