using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>
/// Label-smoothed cross-entropy over rows: target = (1 - s) one-hot + s / K. A label outside [0, K) is ignored (loss 0, gradient 0),
/// which is how masked-expression pre-training leaves positions out.
/// </summary>
/// <param name="Loss">[N]: loss of each row, written.</param>
/// <param name="Logits">[N, K].</param>
/// <param name="Labels">Int32 [N].</param>
/// <param name="Smoothing">s, 0 to below 1.</param>
public readonly record struct CrossEntropyForward(Tensor Loss, Tensor Logits, Tensor Labels, float Smoothing) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "cross_entropy_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (n, k) = (Logits.Shape.Rows, Logits.Shape.Columns);
        d.Use(Loss, Access.Write, new Shape(n));
        d.Use(Logits, Access.Read, new Shape(n, k));
        d.Use(Labels, Access.Read, new Shape(n), DType.Int32);
        d.Work(6L * n * k);
    }
}

/// <summary>Label-smoothed cross-entropy, backward: dlogits = Scale · (softmax - target) for rows with a label, 0 for others.</summary>
/// <param name="DLogits">[N, K], written.</param>
/// <param name="Logits">[N, K].</param>
/// <param name="Labels">Int32 [N].</param>
/// <param name="Smoothing">s.</param>
/// <param name="Scale">Weight of a row: 1 / (number of labelled rows) for a mean.</param>
/// <param name="RowWeight">[1], multiplies Scale: a weight that changes from step to step lies in the device's memory, so that a captured step can be
/// replayed; none means 1.</param>
public readonly record struct CrossEntropyBackward(
    Tensor DLogits, Tensor Logits, Tensor Labels, float Smoothing, float Scale, Tensor RowWeight = default) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "cross_entropy_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (n, k) = (Logits.Shape.Rows, Logits.Shape.Columns);
        d.Use(DLogits, Access.Write, new Shape(n, k));
        d.Use(Logits, Access.Read, new Shape(n, k));
        d.Use(Labels, Access.Read, new Shape(n), DType.Int32);
        d.UseOptional(RowWeight, Access.Read, new Shape(1));
        d.Work(8L * n * k);
    }
}
