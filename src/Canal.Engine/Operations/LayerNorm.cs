using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Layer normalisation over channels, forward (Ba, Kiros, Hinton 2016): biased variance, two passes.</summary>
/// <param name="Y">[N, C]; half precision on CUDA too.</param>
/// <param name="Mean">[N], kept for backward; none where nothing is trained.</param>
/// <param name="Rstd">[N], kept for backward; none where nothing is trained.</param>
/// <param name="X">[N, C].</param>
/// <param name="Gamma">[C].</param>
/// <param name="Beta">[C].</param>
/// <param name="Epsilon">Added to the variance; 1e-5 as in PyTorch.</param>
public readonly record struct LayerNormForward(Tensor Y, Tensor Mean, Tensor Rstd, Tensor X, Tensor Gamma, Tensor Beta, float Epsilon) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "layer_norm_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (n, c) = (X.Shape.Rows, X.Shape.Columns);
        d.UseActivation(Y, Access.Write, new Shape(n, c));
        d.UseOptional(Mean, Access.Write, new Shape(n));
        d.UseOptional(Rstd, Access.Write, new Shape(n));
        d.Use(X, Access.Read, new Shape(n, c));
        d.Use(Gamma, Access.Read, new Shape(c));
        d.Use(Beta, Access.Read, new Shape(c));
        d.Work(8L * n * c);
    }
}

/// <summary>Layer normalisation, backward.</summary>
/// <param name="DX">[N, C] or none where the input needs no gradient; written, or added to when <paramref name="Accumulate"/>.</param>
/// <param name="DGamma">[C], accumulated; none where frozen.</param>
/// <param name="DBeta">[C], accumulated; none where frozen.</param>
/// <param name="DY">[N, C]; half precision on CUDA too.</param>
/// <param name="X">[N, C], the forward input.</param>
/// <param name="Mean">[N].</param>
/// <param name="Rstd">[N].</param>
/// <param name="Gamma">[C].</param>
/// <param name="Accumulate">Whether DX is added to (the residual branch wrote it first).</param>
public readonly record struct LayerNormBackward(
    Tensor DX, Tensor DGamma, Tensor DBeta, Tensor DY, Tensor X, Tensor Mean, Tensor Rstd, Tensor Gamma, bool Accumulate) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "layer_norm_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (n, c) = (X.Shape.Rows, X.Shape.Columns);
        d.UseOptional(DX, Accumulate ? Access.Accumulate : Access.Write, new Shape(n, c));
        d.UseOptional(DGamma, Access.Accumulate, new Shape(c));
        d.UseOptional(DBeta, Access.Accumulate, new Shape(c));
        d.UseActivation(DY, Access.Read, new Shape(n, c));
        d.Use(X, Access.Read, new Shape(n, c));
        d.Use(Mean, Access.Read, new Shape(n));
        d.Use(Rstd, Access.Read, new Shape(n));
        d.Use(Gamma, Access.Read, new Shape(c));
        if (!DGamma.IsNone || !DBeta.IsNone)
        {
            d.Scratch(RowReduction.ScratchBytes(n, 2 * c));
            d.CudaScratch(RowReduction.CudaScratchBytes(n, 2 * c));
        }
        d.Work((DX.IsNone ? 0 : 11L * n * c) + (DGamma.IsNone ? 0 : 5L * n * c));
    }
}
