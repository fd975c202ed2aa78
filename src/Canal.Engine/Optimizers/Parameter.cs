using Canal.Engine.Tensors;

namespace Canal.Engine.Optimizers;

/// <summary>A named view into a <see cref="ParameterSet"/>.</summary>
public sealed class Parameter
{
    internal Parameter(ParameterSpecification specification, Tensor value)
    {
        Specification = specification;
        Value = value;
    }

    /// <summary>Name, sizes, group and start.</summary>
    public ParameterSpecification Specification { get; }

    /// <summary>Its PyTorch name.</summary>
    public string Name => Specification.Name;

    /// <summary>Its sizes.</summary>
    public Shape Shape => Specification.Shape;

    /// <summary>The float32 master values.</summary>
    public Tensor Value { get; }

    /// <summary>The gradient, always accumulated into; none where the parameter is frozen.</summary>
    public Tensor Gradient { get; internal set; }

    /// <summary>Whether it is trained.</summary>
    public bool Trains => !Gradient.IsNone;
}
