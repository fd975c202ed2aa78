using Canal.Engine.Autograd;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Layers;

/// <summary>What the cell-type head computes for a batch.</summary>
/// <param name="Filtered">[B, T]: a number a gene.</param>
/// <param name="Manifold">[B, 128].</param>
/// <param name="Representation">[B, 64].</param>
/// <param name="Logits">[B, K].</param>
public readonly record struct CellTypeOutput(Variable Filtered, Variable Manifold, Variable Representation, Variable Logits);

/// <summary>CANAL's head (method.md section 3): a filter over the width, then genes to 128 to 64 to K; row k of the last weight is type k's prototype.</summary>
public sealed class CellTypeHead
{
    /// <summary>Units of the manifold layer in CANAL.</summary>
    public const int ManifoldWidth = 128;

    /// <summary>Units of the representation in CANAL.</summary>
    public const int RepresentationWidth = 64;

    /// <summary>Name of the prototypes' weight, [K, 64].</summary>
    public const string PrototypeName = "to_out.fc3.weight";

    /// <summary>Name of the prototypes' bias, [K].</summary>
    public const string PrototypeBiasName = "to_out.fc3.bias";

    /// <summary>Name of the filter over the width, [1, 1, 1, C].</summary>
    public const string FilterName = "to_out.conv1.weight";

    /// <summary>Name of the filter's bias, [1].</summary>
    public const string FilterBiasName = "to_out.conv1.bias";

    private readonly Parameter filter, filterBias;
    private readonly Linear first, second, third;

    /// <summary>The head over its parameters; <see cref="Specify"/> lists them.</summary>
    public CellTypeHead(ParameterSet parameters)
    {
        filter = parameters[FilterName];
        filterBias = parameters[FilterBiasName];
        first = new Linear(parameters, "to_out.fc1");
        second = new Linear(parameters, "to_out.fc2");
        third = new Linear(parameters, "to_out.fc3");
    }

    /// <summary>K: number of cell types.</summary>
    public int Types => third.Weight.Shape[0];

    /// <summary>The head's parameters in state_dict order.</summary>
    /// <param name="geometry">The encoder's sizes.</param>
    /// <param name="types">K.</param>
    /// <param name="manifold">Units of the manifold layer (scBERT: 512).</param>
    /// <param name="representation">Units of the representation (scBERT: 128).</param>
    public static IEnumerable<ParameterSpecification> Specify(
        EncoderGeometry geometry, int types, int manifold = ManifoldWidth, int representation = RepresentationWidth)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(types);
        ParameterSpecification[] filter =
        [
            new(FilterName, new Shape(1, 1, 1, geometry.Width), ParameterGroup.Head, Initialisation.Linear(geometry.Width)),
            new(FilterBiasName, new Shape(1), ParameterGroup.Head, Initialisation.Linear(geometry.Width)),
        ];
        return filter
            .Concat(Linear.Specify("to_out.fc1", geometry.Positions, manifold, ParameterGroup.Head))
            .Concat(Linear.Specify("to_out.fc2", manifold, representation, ParameterGroup.Head))
            .Concat(Linear.Specify("to_out.fc3", representation, types, ParameterGroup.Head));
    }

    /// <summary>Runs forward.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="y">[B·T, C] after the final norm.</param>
    /// <param name="cells">B.</param>
    public CellTypeOutput Forward(Tape tape, Variable y, int cells)
    {
        var filtered = HeadFilterStep.Run(tape, y, filter, filterBias, cells);
        var manifold = Rectified(tape, first, filtered);
        var (representation, logits) = FromManifold(tape, manifold);
        return new CellTypeOutput(filtered, manifold, representation, logits);
    }

    /// <summary>The last two layers alone: mixtures of manifold vectors [N, 128] to representations [N, 64] and logits [N, K].</summary>
    public (Variable Representation, Variable Logits) FromManifold(Tape tape, Variable manifold)
    {
        var representation = Rectified(tape, second, manifold);
        return (representation, third.Forward(tape, representation));
    }

    private static Variable Rectified(Tape tape, Linear layer, Variable x)
    {
        var linear = layer.Forward(tape, x);
        var rectified = ReluStep.Run(tape, linear);
        linear.Release();
        return rectified;
    }
}
