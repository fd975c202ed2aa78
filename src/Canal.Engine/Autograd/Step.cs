namespace Canal.Engine.Autograd;

/// <summary>
/// One recorded operation: what its backward pass needs, as fields. Objects are reused, so a warm training step allocates nothing; a class
/// an operation, no closures.
/// </summary>
public abstract class Step
{
    /// <summary>What the operation computed; none for a loss.</summary>
    internal Variable? Output { get; set; }

    /// <summary>Adds this operation's contribution to the gradients of its inputs and parameters.</summary>
    public abstract void Backward(Tape tape);

    /// <summary>Lets go of everything saved. Called once, after <see cref="Backward"/> or instead of it.</summary>
    public abstract void Release();
}
