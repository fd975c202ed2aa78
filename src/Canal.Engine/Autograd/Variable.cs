using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>
/// A value on a <see cref="Tape"/>, perhaps with a gradient. Lives until <see cref="Tape.Clear"/>; its memory goes back to the pool earlier:
/// the value when the caller and every step that saved it have let go, the gradient when the step that made the value has used it.
/// A gradient has its value's element type.
/// </summary>
public sealed class Variable
{
    private readonly Tape tape;
    private Tensor gradient;
    private bool ownsValue;
    private int holders;

    internal Variable(Tape tape) => this.tape = tape;

    /// <summary>The value.</summary>
    public Tensor Value { get; private set; }

    /// <summary>Whether the backward pass computes a gradient for it.</summary>
    public bool NeedsGradient { get; private set; }

    /// <summary>Whether a gradient was written.</summary>
    public bool HasGradient => !gradient.IsNone;

    /// <summary>The gradient; valid once its first consumer has gone backward.</summary>
    public Tensor Gradient => HasGradient ? gradient : throw new InvalidOperationException("No step has written this gradient.");

    /// <summary>Whether the gradient is kept until <see cref="Tape.Clear"/>, for looking at.</summary>
    public bool KeepsGradient { get; private set; }

    /// <summary>Keeps the gradient until <see cref="Tape.Clear"/>.</summary>
    public Variable KeepGradient()
    {
        KeepsGradient = true;
        return this;
    }

    /// <summary>The caller needs the value no more; its memory is free once no step has saved it.</summary>
    public void Release()
    {
        if (holders == 0) throw new InvalidOperationException("This value was already released by everyone who held it.");
        if (--holders == 0) FreeValue();
    }

    internal void Start(Tensor value, bool owns, bool needsGradient)
    {
        (Value, ownsValue, NeedsGradient, KeepsGradient, gradient, holders) = (value, owns, needsGradient, false, Tensor.None, 1);
    }

    internal void RequireGradient() => NeedsGradient = true;

    internal Variable Hold()
    {
        if (holders == 0) throw new InvalidOperationException("A released value cannot be saved.");
        holders++;
        return this;
    }

    /// <summary>Where an operation that can both write and accumulate puts this gradient: the first writer writes, later ones add.</summary>
    internal Tensor GradientTarget(out bool accumulate)
    {
        accumulate = HasGradient;
        if (!accumulate) gradient = tape.Device.Allocate(Value.Type, Value.Shape);
        return gradient;
    }

    /// <summary>Where an operation that only writes puts its contribution; hand it to <see cref="CompleteContribution"/>.</summary>
    internal Tensor BeginContribution()
    {
        if (HasGradient || !NeedsGradient) return tape.Device.Allocate(Value.Type, Value.Shape);
        return gradient = tape.Device.Allocate(Value.Type, Value.Shape);
    }

    /// <summary>Adds a contribution that was not the first; drops one that nobody needs.</summary>
    internal void CompleteContribution(Tensor contribution)
    {
        if (contribution.Storage == gradient.Storage) return;
        if (NeedsGradient) tape.Device.Run(new Add(gradient, contribution));
        contribution.Storage.Dispose();
    }

    /// <summary>Where an operation that only accumulates adds this gradient: zeros if nobody wrote it yet.</summary>
    internal Tensor GradientToAddTo()
    {
        if (!HasGradient)
        {
            gradient = tape.Device.Allocate(Value.Type, Value.Shape);
            tape.Device.Run(new Fill(gradient, 0f));
        }
        return gradient;
    }

    /// <summary>
    /// This gradient gains all of <paramref name="other"/>'s, which its step needs no more: the memory changes hands if this is the first
    /// writer and nobody wants to look at the other.
    /// </summary>
    internal void TakeGradient(Variable other)
    {
        if (HasGradient)
        {
            tape.Device.Run(new Add(gradient, other.Gradient.Reshape(gradient.Shape)));
        }
        else if (other.KeepsGradient)
        {
            gradient = tape.Device.Allocate(Value.Type, Value.Shape);
            tape.Device.Copy(gradient, other.Gradient.Reshape(gradient.Shape));
        }
        else
        {
            gradient = other.Gradient.Reshape(Value.Shape);
            other.gradient = Tensor.None;
        }
    }

    internal void DropGradient()
    {
        if (HasGradient && !KeepsGradient) FreeGradient();
    }

    internal void End()
    {
        holders = 0;
        FreeValue();
        FreeGradient();
    }

    private void FreeValue()
    {
        if (ownsValue) Value.Storage.Dispose();
        (Value, ownsValue) = (Value with { Storage = null! }, false);
    }

    private void FreeGradient()
    {
        if (HasGradient) gradient.Storage.Dispose();
        gradient = Tensor.None;
    }
}
