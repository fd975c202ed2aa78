using System.Numerics;
using Canal.Engine.Devices;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance;

/// <summary>An operation with arguments of one shape, and what it should compute: in float64 the truth, in float32 the plain
/// implementation whose error, rounded to the output's type, sets the tolerance (style R25, R26).</summary>
public abstract class OperationCase
{
    /// <summary>Operation, shape and variant.</summary>
    public required string Name { get; init; }

    /// <summary>The type of the arguments' struct.</summary>
    public abstract Type Operation { get; }

    /// <summary>All tensors, in any order.</summary>
    public required Argument[] Arguments { get; init; }

    /// <summary>Size of the largest intermediate in the computation of an output (style R26); at least that of the output itself.</summary>
    public virtual double LargestIntermediate(string output) => 0;

    /// <summary>Whether accumulating twice gives exactly twice: the finished sum is added once.</summary>
    public virtual bool AccumulatesExactly => true;

    /// <summary>Whether a device must compute in half precision to run it; to convert is not to compute.</summary>
    public bool NeedsHalf => Operation != typeof(Operations.Convert) && Arguments.Any(a => a.IsFloat && Rounding.IsHalf(a.Type));

    /// <summary>Runs the operation.</summary>
    public abstract void Run(Device device, Func<string, Tensor> tensor);

    /// <summary>What the output should become: the values of a written or updated tensor, the increment of an accumulated one.</summary>
    public abstract T[] Expect<T>(string output) where T : IFloatingPointIeee754<T>;

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>An argument's values in the arithmetic of the computation.</summary>
    protected T[] Values<T>(string name) where T : IFloatingPointIeee754<T> => Array.ConvertAll(Find(name).Floats, v => T.CreateChecked(v));

    /// <summary>An integer argument's values.</summary>
    protected int[] Integers(string name) => Find(name).Integers;

    /// <summary>The largest absolute value of an argument.</summary>
    protected double Largest(string name) => Find(name).Floats.Max(v => Math.Abs((double)v));

    private Argument Find(string name) => Arguments.First(a => a.Name == name);
}
