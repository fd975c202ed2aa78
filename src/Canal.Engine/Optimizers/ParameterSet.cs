using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Optimizers;

/// <summary>
/// All parameters of a model: one float32 master buffer, one gradient buffer, parameters as views. The buffer is ordered by
/// <see cref="ParameterGroup"/>, so that what trains is one contiguous run at its end and one operation updates it; frozen parameters have
/// neither gradient nor moments. Views start on 64 bytes; the gaps hold zeros and have zero gradients, so they stay zero.
/// Where the device computes with half precision there is a copy in it, of the same layout, that follows every change of the masters.
/// </summary>
public sealed class ParameterSet : IDisposable
{
    /// <summary>Parameters start at multiples of this many elements.</summary>
    public const int AlignmentElements = 16;

    private readonly Device device;
    private readonly Dictionary<string, Parameter> byName = new(StringComparer.Ordinal);
    private readonly Tensor values, half;
    private readonly int[] offsets;
    private Tensor gradients;

    /// <summary>Allocates the parameters, all zero.</summary>
    /// <param name="device">Where they live.</param>
    /// <param name="specifications">In state_dict order; names are unique.</param>
    public ParameterSet(Device device, IReadOnlyList<ParameterSpecification> specifications)
    {
        this.device = device;
        offsets = new int[specifications.Count];
        var total = 0;
        foreach (var (specification, index) in specifications.Select((specification, index) => (specification, index)).OrderBy(pair => pair.specification.Group))
        {
            offsets[index] = total;
            total = checked(total + Padded((int)specification.Shape.Count));
        }
        values = device.Allocate(new Shape(total));
        device.Run(new Fill(values, 0f));
        HalfType = HalfTypeOf(device);
        if (HalfType is { } type) half = device.Allocate(type, values.Shape);
        Round(half, values);
        var parameters = new Parameter[specifications.Count];
        for (var i = 0; i < parameters.Length; i++)
        {
            var specification = specifications[i];
            parameters[i] = new Parameter(specification, View(values, offsets[i], specification.Shape), half.IsNone ? Tensor.None : View(half, offsets[i], specification.Shape));
            if (!byName.TryAdd(specification.Name, parameters[i]))
            {
                throw new ArgumentException($"Two parameters are named {specification.Name}.", nameof(specifications));
            }
        }
        Parameters = parameters;
    }

    /// <summary>All parameters in state_dict order.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Element type of the half copy; null where the device computes with float32 alone and there is none.</summary>
    public DType? HalfType { get; }

    /// <summary>What trains now.</summary>
    public TrainableSet Trainable { get; private set; }

    /// <summary>Master values of everything that trains, [P], gaps included; none where nothing trains.</summary>
    public Tensor TrainableValues { get; private set; }

    /// <summary>The half copy of <see cref="TrainableValues"/>, [P]; none where the device wants none or nothing trains.</summary>
    public Tensor TrainableHalf { get; private set; }

    /// <summary>Gradients of everything that trains, [P]; none where nothing trains.</summary>
    public Tensor Gradients => gradients;

    /// <summary>The parameter of that name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public Parameter this[string name] => byName.TryGetValue(name, out var parameter)
        ? parameter
        : throw new KeyNotFoundException($"The model has no parameter {name}.");

    /// <summary>Whether there is a parameter of that name.</summary>
    public bool Has(string name) => byName.ContainsKey(name);

    /// <summary>Chooses what trains and gives it zero gradients. An optimiser made before is void.</summary>
    public void Train(TrainableSet set)
    {
        Trainable = set;
        if (!gradients.IsNone) gradients.Storage.Dispose();
        (gradients, TrainableValues, TrainableHalf) = (Tensor.None, Tensor.None, Tensor.None);
        var from = FirstGroup(set);
        var first = int.MaxValue;
        for (var i = 0; i < offsets.Length; i++)
        {
            if (Parameters[i].Specification.Group >= from) first = Math.Min(first, offsets[i]);
        }
        if (first < values.Count)
        {
            TrainableValues = values.Slice(first, (int)values.Count - first);
            if (!half.IsNone) TrainableHalf = half.Slice(first, (int)values.Count - first);
            gradients = device.Allocate(TrainableValues.Shape);
            ZeroGradients();
        }
        for (var i = 0; i < offsets.Length; i++)
        {
            var parameter = Parameters[i];
            parameter.Gradient = parameter.Specification.Group >= from ? View(gradients, offsets[i] - first, parameter.Shape) : Tensor.None;
        }
    }

    /// <summary>Sets all gradients to zero; every backward pass adds to them.</summary>
    public void ZeroGradients()
    {
        if (!gradients.IsNone) device.Run(new Fill(gradients, 0f));
    }

    /// <summary>Draws every parameter afresh from the seed (method.md section 2; see <see cref="Initialisation"/>).</summary>
    public void Initialise(ulong seed)
    {
        for (var i = 0; i < Parameters.Count; i++)
        {
            var drawn = new float[Parameters[i].Shape.Count];
            Parameters[i].Specification.Start.Fill(drawn, Parameters[i].Shape, seed, i);
            device.Write<float>(Parameters[i].Value, drawn);
        }
        Round(half, values);
    }

    /// <summary>A parameter's values, row-major.</summary>
    public float[] Read(string name) => device.Read<float>(this[name].Value);

    /// <summary>Replaces a parameter's values.</summary>
    /// <exception cref="ArgumentException">The number of values is not the parameter's.</exception>
    public void Write(string name, ReadOnlySpan<float> newValues)
    {
        var parameter = this[name];
        if (newValues.Length != parameter.Shape.Count)
        {
            throw new ArgumentException($"{name} has shape {parameter.Shape}: {parameter.Shape.Count} values, not {newValues.Length}.", nameof(newValues));
        }
        device.Write(parameter.Value, newValues);
        if (!half.IsNone) Round(parameter.For(half.Type), parameter.Value);
    }

    /// <summary>Replaces the master values of everything that trains, [P]: the best epoch, or the state that a run goes on from.</summary>
    /// <exception cref="ArgumentException">The number of values is not that of what trains.</exception>
    public void WriteTrainable(ReadOnlySpan<float> newValues)
    {
        if (TrainableValues.IsNone || newValues.Length != TrainableValues.Count)
        {
            throw new ArgumentException($"{(TrainableValues.IsNone ? 0 : TrainableValues.Count)} values train, not {newValues.Length}.", nameof(newValues));
        }
        device.Write(TrainableValues, newValues);
        Round(TrainableHalf, TrainableValues);
    }

    /// <summary>Copies all values of a set with the same specifications (the best model so far; the teacher).</summary>
    public void CopyFrom(ParameterSet other)
    {
        if (other.values.Count != values.Count || !other.Parameters.Select(p => (p.Name, p.Shape)).SequenceEqual(Parameters.Select(p => (p.Name, p.Shape))))
        {
            throw new ArgumentException("The parameter sets differ in names or sizes.", nameof(other));
        }
        device.Copy(values, other.values);
        Round(half, values);
    }

    /// <summary>Returns the buffers to the device.</summary>
    public void Dispose()
    {
        values.Storage.Dispose();
        if (!half.IsNone) half.Storage.Dispose();
        if (!gradients.IsNone) gradients.Storage.Dispose();
        gradients = Tensor.None;
    }

    private static ParameterGroup FirstGroup(TrainableSet set) => set switch
    {
        TrainableSet.None => ParameterGroup.Head + 1,
        TrainableSet.Head => ParameterGroup.Head,
        TrainableSet.LastButOne => ParameterGroup.LastButOneBlock,
        TrainableSet.LastTwo => ParameterGroup.LastBlock,
        TrainableSet.AllButGeneEmbedding => ParameterGroup.BinEmbedding,
        TrainableSet.All => ParameterGroup.GeneEmbedding,
        _ => throw new ArgumentOutOfRangeException(nameof(set), set, "Unknown trainable set."),
    };

    // The half precision of a device's products; none where all are float32.
    private static DType? HalfTypeOf(Device device)
    {
        DType[] half = [.. new[] { device.ActivationType(training: false), device.ActivationType(training: true) }.Where(type => type != DType.Float32).Distinct()];
        return half.Length switch
        {
            0 => null,
            1 => half[0],
            _ => throw new NotSupportedException($"Activations are {half[0]} in inference and {half[1]} in training; parameters keep one half copy."),
        };
    }

    private void Round(Tensor copy, Tensor masters)
    {
        if (!copy.IsNone) device.Run(new Operations.Convert(copy, masters));
    }

    private static int Padded(int count) => checked(count + AlignmentElements - 1) / AlignmentElements * AlignmentElements;

    private static Tensor View(Tensor buffer, int first, Shape shape) => buffer.Slice(first, (int)shape.Count).Reshape(shape);
}
