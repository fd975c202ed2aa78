using Canal.Engine.Autograd;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Layers;

/// <summary>y = x W^T (+ b (+ residual)); W is [out, in] as in PyTorch.</summary>
public sealed class Linear
{
    /// <summary>The layer whose parameters are <paramref name="name"/>.weight and, unless there is none, .bias.</summary>
    public Linear(ParameterSet parameters, string name)
    {
        Weight = parameters[name + ".weight"];
        Bias = parameters.Has(name + ".bias") ? parameters[name + ".bias"] : null;
    }

    /// <summary>[out, in].</summary>
    public Parameter Weight { get; }

    /// <summary>[out], or null.</summary>
    public Parameter? Bias { get; }

    /// <summary>Runs forward.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[N, in].</param>
    /// <param name="residual">[N, out], added; null for none.</param>
    /// <returns>[N, out].</returns>
    public Variable Forward(Tape tape, Variable x, Variable? residual = null) => LinearStep.Run(tape, x, Weight, Bias, residual);

    internal static IEnumerable<ParameterSpecification> Specify(string name, int inputs, int outputs, ParameterGroup group, bool bias = true)
    {
        yield return new(name + ".weight", new Shape(outputs, inputs), group, Initialisation.Linear(inputs));
        if (bias) yield return new(name + ".bias", new Shape(outputs), group, Initialisation.Linear(inputs));
    }
}
