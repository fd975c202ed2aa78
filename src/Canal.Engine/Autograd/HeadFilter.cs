using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>The cell-type head's one filter over the width with its rectifier. Saves its input and its output.</summary>
public sealed class HeadFilterStep : Step
{
    private Variable input = null!;
    private Parameter weight = null!, bias = null!;

    /// <summary>Runs forward and records what is needed.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="y">[B·T, C].</param>
    /// <param name="weight">C values, whatever their shape.</param>
    /// <param name="bias">[1].</param>
    /// <param name="cells">B.</param>
    /// <returns>[B, T]: a number a gene.</returns>
    public static Variable Run(Tape tape, Variable y, Parameter weight, Parameter bias, int cells)
    {
        var rows = y.Value.Shape.Rows;
        var u = tape.Allocate(new Shape(cells, rows / cells), y.NeedsGradient || weight.Trains || bias.Trains);
        tape.Device.Run(new HeadFilterForward(u.Value.Reshape(new Shape(rows)), y.Value, Flat(weight.Value), bias.Value));
        if (u.NeedsGradient)
        {
            var step = tape.Rent<HeadFilterStep>();
            (step.input, step.weight, step.bias) = (y.Hold(), weight, bias);
            tape.Record(step, u.Hold());
        }
        return u;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        var rows = new Shape(input.Value.Shape.Rows);
        var dy = input.NeedsGradient ? input.BeginContribution() : Tensor.None;
        tape.Device.Run(new HeadFilterBackward(dy, weight.Trains ? Flat(weight.Gradient) : Tensor.None, bias.Gradient,
            Output!.Gradient.Reshape(rows), Output.Value.Reshape(rows), input.Value, Flat(weight.Value)));
        if (!dy.IsNone) input.CompleteContribution(dy);
    }

    /// <inheritdoc/>
    public override void Release()
    {
        input.Release();
        Output!.Release();
        (input, weight, bias) = (null!, null!, null!);
    }

    private static Tensor Flat(Tensor tensor) => tensor.Reshape(new Shape((int)tensor.Count));
}
