using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>The head's one filter over the width: u[n] = relu(w . y[n] + b), a number a gene.</summary>
/// <param name="U">[N].</param>
/// <param name="Y">[N, C]; half precision on CUDA too.</param>
/// <param name="W">[C].</param>
/// <param name="Bias">[1].</param>
public readonly record struct HeadFilterForward(Tensor U, Tensor Y, Tensor W, Tensor Bias) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "head_filter_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (n, c) = (Y.Shape.Rows, Y.Shape.Columns);
        d.Use(U, Access.Write, new Shape(n));
        d.UseActivation(Y, Access.Read, new Shape(n, c));
        d.Use(W, Access.Read, new Shape(c));
        d.Use(Bias, Access.Read, new Shape(1));
        d.Work(2L * n * c);
    }
}

/// <summary>The head's filter, backward.</summary>
/// <param name="DY">[N, C], written; none where the encoder needs no gradient.</param>
/// <param name="DW">[C], accumulated; none where frozen.</param>
/// <param name="DBias">[1], accumulated; none where frozen.</param>
/// <param name="DU">[N].</param>
/// <param name="U">[N], the forward output.</param>
/// <param name="Y">[N, C]; half precision on CUDA too, then DY as well.</param>
/// <param name="W">[C].</param>
public readonly record struct HeadFilterBackward(Tensor DY, Tensor DW, Tensor DBias, Tensor DU, Tensor U, Tensor Y, Tensor W) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "head_filter_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (n, c) = (Y.Shape.Rows, Y.Shape.Columns);
        if (!DY.IsNone) d.UseActivation(DY, Access.Write, new Shape(n, c), like: Y);
        d.UseOptional(DW, Access.Accumulate, new Shape(c));
        d.UseOptional(DBias, Access.Accumulate, new Shape(1));
        d.Use(DU, Access.Read, new Shape(n));
        d.Use(U, Access.Read, new Shape(n));
        d.UseActivation(Y, Access.Read, new Shape(n, c));
        d.Use(W, Access.Read, new Shape(c));
        if (!DW.IsNone || !DBias.IsNone)
        {
            d.Scratch(RowReduction.ScratchBytes(n, c + 1));
            d.CudaScratch(RowReduction.CudaScratchBytes(n, c + 1));
        }
        d.Work((DY.IsNone ? 0 : 1L * n * c) + (DW.IsNone ? 0 : 2L * n * c));
    }
}
