using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>From logits to what annotation needs: the three most probable types, their probabilities, and the energy -T log sum exp(logit / T).</summary>
/// <param name="Types">Int32 [B, 3]: best first; ties to the lower index, NaN as low as can be; -1 where there are fewer types.</param>
/// <param name="Probabilities">[B, 3]: softmax of the logits; 0 where there are fewer types.</param>
/// <param name="Energy">[B].</param>
/// <param name="Logits">[B, K].</param>
/// <param name="Temperature">T, 0.8 in CANAL; positive.</param>
public readonly record struct Prediction(Tensor Types, Tensor Probabilities, Tensor Energy, Tensor Logits, float Temperature) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "prediction";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (b, k) = (Logits.Shape.Rows, Logits.Shape.Columns);
        d.Use(Types, Access.Write, new Shape(b, 3), DType.Int32);
        d.Use(Probabilities, Access.Write, new Shape(b, 3));
        d.Use(Energy, Access.Write, new Shape(b));
        d.Use(Logits, Access.Read, new Shape(b, k));
        d.Work(10L * b * k);
    }

    internal void RequireTemperature()
    {
        if (!(Temperature > 0)) throw new ArgumentException($"{Name}: the temperature is {Temperature}; it must be positive.");
    }
}

/// <summary>Mixtures of manifold vectors: mixed[b, j] = w[b, j] · own[b] + (1 - w[b, j]) · partner[b].</summary>
/// <param name="Mixed">[B, J, R].</param>
/// <param name="Own">[B, R].</param>
/// <param name="Partner">[B, R].</param>
/// <param name="Weights">[B, J], each in [0, 1].</param>
public readonly record struct ManifoldMixing(Tensor Mixed, Tensor Own, Tensor Partner, Tensor Weights) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "manifold_mixing";

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        var (b, j, r) = (Weights.Shape[0], Weights.Shape[1], Own.Shape[1]);
        d.Use(Mixed, Access.Write, new Shape(b, j, r));
        d.Use(Own, Access.Read, new Shape(b, r));
        d.Use(Partner, Access.Read, new Shape(b, r));
        d.Use(Weights, Access.Read, new Shape(b, j));
        d.Work(3L * b * j * r);
    }
}
