using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Representation distillation: loss = Weight · mean((z - zPrevious)^2), over B cells and R units (CANAL, section 4 of method.md).</summary>
/// <param name="Loss">[1], written.</param>
/// <param name="Z">[B, R].</param>
/// <param name="ZPrevious">[B, R], from the model of the previous stage.</param>
/// <param name="Weight">lambda · K_old / K.</param>
public readonly record struct DistillationForward(Tensor Loss, Tensor Z, Tensor ZPrevious, float Weight) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "distillation_forward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(Loss, Access.Write, new Shape(1));
        d.Use(Z, Access.Read, Z.Shape);
        d.Use(ZPrevious, Access.Read, Z.Shape);
        d.Work(3 * Z.Count);
    }
}

/// <summary>dz += 2 · Weight · (z - zPrevious) / (B R): z also feeds the classifier, so the two gradients add.</summary>
/// <param name="DZ">[B, R], accumulated.</param>
/// <param name="Z">[B, R].</param>
/// <param name="ZPrevious">[B, R].</param>
/// <param name="Weight">lambda · K_old / K.</param>
public readonly record struct DistillationBackward(Tensor DZ, Tensor Z, Tensor ZPrevious, float Weight) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "distillation_backward";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(DZ, Access.Accumulate, Z.Shape);
        d.Use(Z, Access.Read, Z.Shape);
        d.Use(ZPrevious, Access.Read, Z.Shape);
        d.Work(3 * Z.Count);
    }
}
