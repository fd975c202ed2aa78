using Canal.Engine.Operations;

namespace Canal.Engine.Autograd;

/// <summary>Rectifier. Saves its output; the gradient is computed in the memory of the output's.</summary>
public sealed class ReluStep : Step
{
    private Variable input = null!;

    /// <summary>Runs forward and records what is needed.</summary>
    public static Variable Run(Tape tape, Variable x)
    {
        var y = tape.Allocate(x.Value.Shape, x.NeedsGradient);
        tape.Device.Run(new ReluForward(y.Value, x.Value));
        if (y.NeedsGradient)
        {
            var step = tape.Rent<ReluStep>();
            step.input = x;
            tape.Record(step, y.Hold());
        }
        return y;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        var output = Output!;
        if (input.HasGradient)
        {
            tape.Device.Run(new ReluBackward(input.Gradient, output.Gradient, output.Value, Accumulate: true));
            return;
        }
        input.TakeGradient(output);
        tape.Device.Run(new ReluBackward(input.Gradient, input.Gradient, output.Value));
    }

    /// <inheritdoc/>
    public override void Release()
    {
        Output!.Release();
        input = null!;
    }
}
