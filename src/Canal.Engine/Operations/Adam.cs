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
/// <param name="Coefficients">[2]: -rate / (1 - b1^t) and sqrt(1 - b2^t), from <see cref="StepCoefficients"/>: what changes from step to step lies in
/// the device's memory, so that a captured step can be replayed.</param>
/// <param name="HalfCopy">Float16 or BFloat16 [P], written: the new parameters, rounded; none on the CPU and in float32.</param>
/// <param name="Beta1">Decay of the first moment, 0.9.</param>
/// <param name="Beta2">Decay of the second moment, 0.999.</param>
/// <param name="Epsilon">1e-8.</param>
public readonly record struct AdamUpdate(
    Tensor Parameters, Tensor Gradients, Tensor FirstMoment, Tensor SecondMoment, Tensor LargestSecondMoment, Tensor GradientScale,
    Tensor Coefficients, Tensor HalfCopy, double Beta1, double Beta2, double Epsilon) : IOperation
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
        d.Use(Coefficients, Access.Read, new Shape(2));
        if (!HalfCopy.IsNone) d.Use(HalfCopy, Access.Write, p, HalfCopy.Type == DType.BFloat16 ? DType.BFloat16 : DType.Float16);
        d.Work(14 * Parameters.Count);
    }

    /// <summary>The values of <see cref="Coefficients"/>, float64 inside.</summary>
    /// <param name="coefficients">[2], written.</param>
    /// <param name="step">t, from 1.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="beta1">Decay of the first moment.</param>
    /// <param name="beta2">Decay of the second moment.</param>
    public static void StepCoefficients(Span<float> coefficients, long step, double rate, double beta1, double beta2)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        coefficients[0] = (float)(-rate / (1 - Math.Pow(beta1, step)));
        coefficients[1] = (float)Math.Sqrt(1 - Math.Pow(beta2, step));
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
