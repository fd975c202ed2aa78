namespace Canal.Engine.Autograd;

/// <summary>A part of a model that <see cref="RecomputeStep{TArguments}"/> can run again in the backward pass.</summary>
/// <typeparam name="TArguments">What its forward pass takes besides the input.</typeparam>
public interface IRecomputable<TArguments> where TArguments : struct
{
    /// <summary>Whether any of its parameters trains.</summary>
    bool Trains { get; }

    /// <summary>Runs forward; the same bits whether the tape records or not.</summary>
    Variable Forward(Tape tape, Variable x, TArguments arguments);
}

/// <summary>Keeps only a part's input and repeats its forward pass when the gradient arrives: less memory for one more forward pass.</summary>
/// <typeparam name="TArguments">What the part's forward pass takes besides the input.</typeparam>
public sealed class RecomputeStep<TArguments> : Step where TArguments : struct
{
    private IRecomputable<TArguments> part = null!;
    private Variable input = null!;
    private TArguments arguments;

    /// <summary>Runs <paramref name="part"/> without recording its operations.</summary>
    public static Variable Run(Tape tape, IRecomputable<TArguments> part, Variable x, TArguments arguments)
    {
        var recording = tape.Pause();
        var y = part.Forward(tape, x, arguments);
        tape.Resume(recording);
        if (recording && (x.NeedsGradient || part.Trains))
        {
            y.RequireGradient();
            var step = tape.Rent<RecomputeStep<TArguments>>();
            (step.part, step.input, step.arguments) = (part, x.Hold(), arguments);
            tape.Record(step, y);
        }
        return y;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape)
    {
        var recorded = tape.RecordedSteps;
        var again = part.Forward(tape, input, arguments);
        again.TakeGradient(Output!);
        again.Release();
        tape.BackwardTo(recorded);
    }

    /// <inheritdoc/>
    public override void Release()
    {
        input.Release();
        (part, input) = (null!, null!);
    }
}
