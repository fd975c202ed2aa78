using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Sets every element to one value.</summary>
/// <param name="Y">Any shape; half precision on CUDA too.</param>
/// <param name="Value">The value.</param>
public readonly record struct Fill(Tensor Y, float Value) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "fill";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d) => d.UseActivation(Y, Access.Write, Y.Shape);
}

/// <summary>y += x, the second writer of a gradient.</summary>
/// <param name="Y">Any shape; half precision on CUDA too.</param>
/// <param name="X">The same shape and type.</param>
public readonly record struct Add(Tensor Y, Tensor X) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "add";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(Y, Access.Accumulate, Y.Shape);
        d.UseActivation(X, Access.Read, Y.Shape, like: Y);
        d.Work(Y.Count);
    }
}

/// <summary>y = x rounded to the element type of y, to nearest, ties to even.</summary>
/// <param name="Y">Any shape; float32, float16 or bfloat16.</param>
/// <param name="X">The same shape; float32, float16 or bfloat16.</param>
public readonly record struct Convert(Tensor Y, Tensor X) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "convert";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(Y, Access.Write, X.Shape, Floating(Y.Type));
        d.Use(X, Access.Read, X.Shape, Floating(X.Type));
    }

    private static DType Floating(DType type) => type is DType.Float16 or DType.BFloat16 ? type : DType.Float32;
}

/// <summary>Preloads a product's target: y[n, c] = bias[c] (+ residual[n, c]).</summary>
/// <param name="Y">[N, C]; half precision on CUDA too.</param>
/// <param name="Bias">[C].</param>
/// <param name="Residual">[N, C] or none, float32.</param>
public readonly record struct BroadcastBias(Tensor Y, Tensor Bias, Tensor Residual) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "broadcast_bias";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(Y, Access.Write, new Shape(Y.Shape.Rows, Y.Shape.Columns));
        d.Use(Bias, Access.Read, new Shape(Y.Shape.Columns));
        d.UseOptional(Residual, Access.Read, Y.Shape);
        d.Work(Residual.IsNone ? 0 : Y.Count);
    }
}

/// <summary>The gradient of a bias: dbias[c] += sum over rows of dy[n, c].</summary>
/// <param name="DBias">[C], accumulated.</param>
/// <param name="DY">[N, C]; half precision on CUDA too.</param>
public readonly record struct ColumnSum(Tensor DBias, Tensor DY) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "column_sum";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(DBias, Access.Accumulate, new Shape(DY.Shape.Columns));
        d.UseActivation(DY, Access.Read, new Shape(DY.Shape.Rows, DY.Shape.Columns));
        d.Scratch(RowReduction.ScratchBytes(DY.Shape.Rows, DY.Shape.Columns));
        d.CudaScratch(RowReduction.CudaScratchBytes(DY.Shape.Rows, DY.Shape.Columns));
        d.Work(DY.Count);
    }
}
