using Canal.Engine.Autograd;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Layers;

/// <summary>Layer normalisation over channels.</summary>
public sealed class LayerNorm
{
    /// <summary>Added to the variance; PyTorch's default.</summary>
    public const float Epsilon = 1e-5f;

    /// <summary>The norm whose parameters are <paramref name="name"/>.weight and .bias.</summary>
    public LayerNorm(ParameterSet parameters, string name)
    {
        Gamma = parameters[name + ".weight"];
        Beta = parameters[name + ".bias"];
    }

    /// <summary>[C].</summary>
    public Parameter Gamma { get; }

    /// <summary>[C].</summary>
    public Parameter Beta { get; }

    /// <summary>Runs forward: [N, C] to [N, C], of the given element type.</summary>
    public Variable Forward(Tape tape, Variable x, DType type = DType.Float32) => LayerNormStep.Run(tape, x, Gamma, Beta, Epsilon, type);

    internal static IEnumerable<ParameterSpecification> Specify(string name, int width, ParameterGroup group)
    {
        yield return new(name + ".weight", new Shape(width), group, Initialisation.One);
        yield return new(name + ".bias", new Shape(width), group, Initialisation.Zero);
    }
}
