using Canal.Engine.Operations;

namespace Canal.Engine.Autograd;

/// <summary>Exact GELU. Saves its input; the gradient is computed in the memory of the output's.</summary>
public sealed class GeluStep : Step
{
    private Variable input = null!;

    /// <summary>Runs forward and records what is needed.</summary>
    public static Variable Run(Tape tape, Variable x)
    {
        var y = tape.Allocate(x.Value.Type, x.Value.Shape, x.NeedsGradient);
        tape.Device.Run(new GeluForward(y.Value, x.Value));
        if (y.NeedsGradient)
        {
            var step = tape.Rent<GeluStep>();
            step.input = x.Hold();
            tape.Record(step, y);
        }
        return y;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        if (input.HasGradient)
        {
            tape.Device.Run(new GeluBackward(input.Gradient, Output!.Gradient, input.Value, Accumulate: true));
            return;
        }
        input.TakeGradient(Output!);
        tape.Device.Run(new GeluBackward(input.Gradient, input.Gradient, input.Value));
    }

    /// <inheritdoc/>
    public override void Release()
    {
        input.Release();
        input = null!;
    }
}
