using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>
/// y = x W^T (+ b (+ residual)). dx = dy W, dW += dy^T x, db += column sums of dy; the residual takes dy as it is. Where x is of half precision so are
/// the operands of all three products; a result that a residual is added to belongs to the residual stream and is float32, and its gradient is
/// rounded once for both products.
/// </summary>
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
    /// <returns>[N, out]: float32 with a residual, else of the element type of <paramref name="x"/>.</returns>
    public static Variable Run(Tape tape, Variable x, Parameter weight, Parameter? bias, Variable? residual = null)
    {
        var depends = x.NeedsGradient || weight.Trains || bias is { Trains: true } || residual is { NeedsGradient: true };
        var y = tape.Allocate(residual is null ? x.Value.Type : DType.Float32, new Shape(x.Value.Shape.Rows, weight.Shape[0]), depends);
        if (bias is not null) tape.Device.Run(new BroadcastBias(y.Value, bias.Value, residual?.Value ?? Tensor.None));
        tape.Device.Run(new MatMul(y.Value, x.Value, weight.For(x.Value.Type), TransposeB: true, Accumulate: bias is not null));
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
        if (bias is { Trains: true }) tape.Device.Run(new ColumnSum(bias.Gradient, dy));
        var rounded = Rounded(tape.Device, dy);
        if (!rounded.IsNone) dy = rounded;
        if (weight.Trains) tape.Device.Run(new MatMul(weight.Gradient, dy, input.Value, TransposeA: true, Accumulate: true));
        if (input.NeedsGradient)
        {
            var dx = input.GradientTarget(out var accumulate);
            tape.Device.Run(new MatMul(dx, dy, weight.For(dy.Type), Accumulate: accumulate));
        }
        if (!rounded.IsNone) rounded.Storage.Dispose();
        if (residual is { NeedsGradient: true }) residual.TakeGradient(Output);
    }

    /// <inheritdoc/>
    public override void Release()
    {
        if (savesInput) input.Release();
        (input, residual, weight, bias) = (null!, null, null!, null);
    }

    // The gradient in the element type of the products' other operand; none where it has that type, or where no product needs it.
    private Tensor Rounded(Device device, Tensor dy)
    {
        var type = input.Value.Type;
        if (dy.Type == type || !(weight.Trains || input.NeedsGradient)) return Tensor.None;
        var rounded = device.Allocate(type, dy.Shape);
        device.Run(new Operations.Convert(rounded, dy));
        return rounded;
    }
}
