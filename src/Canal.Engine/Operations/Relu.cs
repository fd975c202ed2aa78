using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Rectifier, y = max(x, 0); the gradient at 0 is 0, forward.</summary>
/// <param name="Y">Any shape; half precision on CUDA too. May be the same tensor as <paramref name="X"/> only where the backward pass does not need X.</param>
/// <param name="X">The same shape and type.</param>
public readonly record struct ReluForward(Tensor Y, Tensor X) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "relu_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(Y, Access.Write, X.Shape, like: X);
        d.UseActivation(X, Access.Read, X.Shape);
        d.Work(1L * X.Count);
    }
}

/// <summary>Rectifier, y = max(x, 0); the gradient at 0 is 0, backward.</summary>
/// <param name="DX">Gradient of the input; written, or added to when <paramref name="Accumulate"/>. May be DY in place when written.</param>
/// <param name="DY">Gradient of the output; all three are of one type, half precision on CUDA too.</param>
/// <param name="Y">Output of the forward pass.</param>
/// <param name="Accumulate">Whether DX is added to.</param>
public readonly record struct ReluBackward(Tensor DX, Tensor DY, Tensor Y, bool Accumulate = false) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "relu_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(DX, Accumulate ? Access.Accumulate : Access.Write, Y.Shape, like: Y);
        d.UseActivation(DY, Access.Read, Y.Shape, like: Y);
        d.UseActivation(Y, Access.Read, Y.Shape);
        d.Work(1L * Y.Count);
    }
}
