using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Exact GELU, y = z (1 + erf(z / sqrt 2)) / 2 of z = x + bias, forward.</summary>
/// <param name="Y">Any shape; half precision on CUDA too. May be the same tensor as <paramref name="X"/> only where the backward pass does not need X.</param>
/// <param name="X">The same shape and type.</param>
/// <param name="Bias">[C], float32, added to the rows of X [N, C]; or none.</param>
public readonly record struct GeluForward(Tensor Y, Tensor X, Tensor Bias = default) : IOperation
{
    /// <summary>Columns that the bias has; 1 without one.</summary>
    public int Columns => Bias.IsNone ? 1 : X.Shape.Columns;

    /// <inheritdoc/>
    public static string Name => "gelu_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(Y, Access.Write, X.Shape, like: X);
        d.UseActivation(X, Access.Read, X.Shape);
        d.UseOptional(Bias, Access.Read, new Shape(Columns));
        d.Work((Bias.IsNone ? 20L : 21L) * X.Count);
    }
}

/// <summary>Exact GELU, y = z (1 + erf(z / sqrt 2)) / 2 of z = x + bias, backward; the bias's gradient is the column sum of dx.</summary>
/// <param name="DX">Gradient of the input; written, or added to when <paramref name="Accumulate"/>. May be DY in place when written.</param>
/// <param name="DY">Gradient of the output; all three are of one type, half precision on CUDA too.</param>
/// <param name="X">Input of the forward pass.</param>
/// <param name="Accumulate">Whether DX is added to.</param>
/// <param name="Bias">[C], as in the forward pass; or none.</param>
public readonly record struct GeluBackward(Tensor DX, Tensor DY, Tensor X, bool Accumulate = false, Tensor Bias = default) : IOperation
{
    /// <summary>Columns that the bias has; 1 without one.</summary>
    public int Columns => Bias.IsNone ? 1 : X.Shape.Columns;

    /// <inheritdoc/>
    public static string Name => "gelu_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(DX, Accumulate ? Access.Accumulate : Access.Write, X.Shape, like: X);
        d.UseActivation(DY, Access.Read, X.Shape, like: X);
        d.UseActivation(X, Access.Read, X.Shape);
        d.UseOptional(Bias, Access.Read, new Shape(Columns));
        d.Work((Bias.IsNone ? 20L : 21L) * X.Count);
    }
}
