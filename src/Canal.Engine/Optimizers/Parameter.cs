using Canal.Engine.Tensors;

namespace Canal.Engine.Optimizers;

/// <summary>A named view into a <see cref="ParameterSet"/>.</summary>
public sealed class Parameter
{
    private readonly Tensor half;

    internal Parameter(ParameterSpecification specification, Tensor value, Tensor half)
    {
        Specification = specification;
        Value = value;
        this.half = half;
    }

    /// <summary>Name, sizes, group and start.</summary>
    public ParameterSpecification Specification { get; }

    /// <summary>Its PyTorch name.</summary>
    public string Name => Specification.Name;

    /// <summary>Its sizes.</summary>
    public Shape Shape => Specification.Shape;

    /// <summary>The float32 master values.</summary>
    public Tensor Value { get; }

    /// <summary>The values as operands of products in an element type: the master, or the set's half copy.</summary>
    /// <exception cref="InvalidOperationException">The set keeps no copy of that type.</exception>
    public Tensor For(DType type) => type == DType.Float32 ? Value
        : !half.IsNone && half.Type == type ? half
        : throw new InvalidOperationException($"{Name}: the parameters keep no {type} copy; a device whose activations are {type} makes one.");

    /// <summary>The gradient, always accumulated into; none where the parameter is frozen.</summary>
    public Tensor Gradient { get; internal set; }

    /// <summary>Whether it is trained.</summary>
    public bool Trains => !Gradient.IsNone;
}
