using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Sets every element to one value.</summary>
/// <param name="Y">Any shape, float32.</param>
/// <param name="Value">The value.</param>
public readonly record struct Fill(Tensor Y, float Value) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "fill";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d) => d.Use(Y, Access.Write, Y.Shape);
}

/// <summary>y += x, the second writer of a gradient.</summary>
/// <param name="Y">Any shape, float32.</param>
/// <param name="X">The same shape.</param>
public readonly record struct Add(Tensor Y, Tensor X) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "add";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(Y, Access.Accumulate, Y.Shape);
        d.Use(X, Access.Read, Y.Shape);
        d.Work(Y.Count);
    }
}

/// <summary>Preloads a product's target: y[n, c] = bias[c] (+ residual[n, c]).</summary>
/// <param name="Y">[N, C].</param>
/// <param name="Bias">[C].</param>
/// <param name="Residual">[N, C] or none.</param>
public readonly record struct BroadcastBias(Tensor Y, Tensor Bias, Tensor Residual) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "broadcast_bias";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(Y, Access.Write, new Shape(Y.Shape.Rows, Y.Shape.Columns));
        d.Use(Bias, Access.Read, new Shape(Y.Shape.Columns));
        d.UseOptional(Residual, Access.Read, Y.Shape);
        d.Work(Residual.IsNone ? 0 : Y.Count);
    }
}

/// <summary>The gradient of a bias: dbias[c] += sum over rows of dy[n, c].</summary>
/// <param name="DBias">[C], accumulated.</param>
/// <param name="DY">[N, C].</param>
public readonly record struct ColumnSum(Tensor DBias, Tensor DY) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "column_sum";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(DBias, Access.Accumulate, new Shape(DY.Shape.Columns));
        d.Use(DY, Access.Read, new Shape(DY.Shape.Rows, DY.Shape.Columns));
        d.Scratch(RowReduction.ScratchBytes(DY.Shape.Rows, DY.Shape.Columns));
        d.Work(DY.Count);
    }
}
