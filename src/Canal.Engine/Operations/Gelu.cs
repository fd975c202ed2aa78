using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Exact GELU, y = x (1 + erf(x / sqrt 2)) / 2, forward.</summary>
/// <param name="Y">Any shape; half precision on CUDA too. May be the same tensor as <paramref name="X"/> only where the backward pass does not need X.</param>
/// <param name="X">The same shape and type.</param>
public readonly record struct GeluForward(Tensor Y, Tensor X) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "gelu_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(Y, Access.Write, X.Shape, like: X);
        d.UseActivation(X, Access.Read, X.Shape);
        d.Work(20L * X.Count);
    }
}

/// <summary>Exact GELU, y = x (1 + erf(x / sqrt 2)) / 2, backward.</summary>
/// <param name="DX">Gradient of the input; written, or added to when <paramref name="Accumulate"/>. May be DY in place when written.</param>
/// <param name="DY">Gradient of the output; all three are of one type, half precision on CUDA too.</param>
/// <param name="X">Input of the forward pass.</param>
/// <param name="Accumulate">Whether DX is added to.</param>
public readonly record struct GeluBackward(Tensor DX, Tensor DY, Tensor X, bool Accumulate = false) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "gelu_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(DX, Accumulate ? Access.Accumulate : Access.Write, X.Shape, like: X);
        d.UseActivation(DY, Access.Read, X.Shape, like: X);
        d.UseActivation(X, Access.Read, X.Shape);
        d.Work(20L * X.Count);
    }
}
