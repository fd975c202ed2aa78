using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>
/// One Adam step over the whole parameter set (Kingma, Ba 2015; AMSGrad: Reddi et al. 2018):
/// m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= rate/(1-b1^t) · m / (sqrt(v or vmax)/sqrt(1-b2^t) + eps).
/// </summary>
/// <param name="Parameters">[P], updated.</param>
/// <param name="Gradients">[P].</param>
/// <param name="FirstMoment">[P], updated.</param>
/// <param name="SecondMoment">[P], updated.</param>
/// <param name="LargestSecondMoment">[P], updated; none without AMSGrad.</param>
/// <param name="GradientScale">[1]: every gradient is multiplied by it (clipping); none means 1.</param>
/// <param name="Step">t, from 1.</param>
/// <param name="Rate">Learning rate.</param>
/// <param name="Beta1">Decay of the first moment, 0.9.</param>
/// <param name="Beta2">Decay of the second moment, 0.999.</param>
/// <param name="Epsilon">1e-8.</param>
public readonly record struct AdamUpdate(
    Tensor Parameters, Tensor Gradients, Tensor FirstMoment, Tensor SecondMoment, Tensor LargestSecondMoment, Tensor GradientScale,
    long Step, double Rate, double Beta1, double Beta2, double Epsilon) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "adam";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var p = new Shape((int)Parameters.Count);
        d.Use(Parameters, Access.Update, p);
        d.Use(Gradients, Access.Read, p);
        d.Use(FirstMoment, Access.Update, p);
        d.Use(SecondMoment, Access.Update, p);
        d.UseOptional(LargestSecondMoment, Access.Update, p);
        d.UseOptional(GradientScale, Access.Read, new Shape(1));
        d.Work(14 * Parameters.Count);
    }
}

/// <summary>The Euclidean norm of all gradients and the factor that clips it: scale = min(1, MaximumNorm / (norm + 1e-6)), as PyTorch does.</summary>
/// <param name="Norm">[1], written.</param>
/// <param name="Scale">[1], written.</param>
/// <param name="Gradients">[P].</param>
/// <param name="MaximumNorm">Positive; infinity only measures.</param>
public readonly record struct GradientNorm(Tensor Norm, Tensor Scale, Tensor Gradients, float MaximumNorm) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "gradient_norm";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.Use(Norm, Access.Write, new Shape(1));
        d.Use(Scale, Access.Write, new Shape(1));
        d.Use(Gradients, Access.Read, new Shape((int)Gradients.Count));
        d.Scratch(RowReduction.ScratchBytes(Gradients.Count));
        d.CudaScratch(RowReduction.ScratchBytes(Gradients.Count));
        d.Work(2 * Gradients.Count);
    }
}
