using Canal.Engine.Layers;

namespace Canal.Models;

/// <summary>
/// The network's weights by their names in the reference's PyTorch state_dict (method.md section 8), with the sizes that their shapes
/// tell: of a Canal model or of a converted check point of scBERT or CANAL.
/// </summary>
public sealed class StateDict
{
    /// <summary>Prefix of everything in a model file that is not a weight.</summary>
    public const string OwnPrefix = "canal.";

    /// <summary>The reference's count of forward passes since the last redraw of the projections; Canal keeps them fixed.</summary>
    public const string RedrawCounter = "performer.calls_since_last_redraw";

    private const string Block = "performer.net.layers.";

    private StateDict(ModelConfiguration configuration, int types, IReadOnlyDictionary<string, float[]> weights) =>
        (Configuration, Types, Weights) = (configuration, types, weights);

    /// <summary>Sizes of the model.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>K: number of cell types; 0 for a base model.</summary>
    public int Types { get; }

    /// <summary>Values by name, row-major.</summary>
    public IReadOnlyDictionary<string, float[]> Weights { get; }

    /// <summary>Reads a file that holds nothing but weights: a converted check point.</summary>
    /// <exception cref="UserException">The file is damaged or not of this architecture.</exception>
    public static StateDict Load(string path)
    {
        using var reader = SafetensorsReader.Open(path);
        return Read(reader);
    }

    /// <summary>Reads the weights of an open file.</summary>
    /// <exception cref="UserException">A weight is missing, of another shape, not finite, or of no known place.</exception>
    public static StateDict Read(SafetensorsReader reader)
    {
        var isBase = reader.Entries.ContainsKey("to_out.weight");
        var configuration = Infer(reader, isBase);
        var types = isBase ? 0 : Size(reader, CellTypeHead.PrototypeName, 0);
        if (!isBase && types == 0) throw Refuse(reader, "its cell-type head has no cell type");
        var specifications = configuration.Specify(types);
        var weights = new Dictionary<string, float[]>(StringComparer.Ordinal);
        foreach (var specification in specifications)
        {
            var shape = Enumerable.Range(0, specification.Shape.Rank).Select(dimension => (long)specification.Shape[dimension]).ToArray();
            if (!reader.Entries.TryGetValue(specification.Name, out var entry)) throw Refuse(reader, $"the weight {specification.Name} is missing");
            if (!entry.Shape.SequenceEqual(shape)) throw Refuse(reader, $"the weight {specification.Name} is [{string.Join(", ", entry.Shape)}] and should be [{string.Join(", ", shape)}]");
            var values = reader.ReadSingles(specification.Name);
            var bad = Array.FindIndex(values, value => !float.IsFinite(value));
            if (bad >= 0) throw Refuse(reader, $"the weight {specification.Name} holds {values[bad]} at place {bad}");
            weights[specification.Name] = values;
        }
        var stray = reader.Entries.Keys.FirstOrDefault(name => !weights.ContainsKey(name) && name != RedrawCounter && !name.StartsWith(OwnPrefix, StringComparison.Ordinal));
        return stray is null ? new StateDict(configuration, types, weights) : throw Refuse(reader, $"the weight {stray} has no place in it");
    }

    private static ModelConfiguration Infer(SafetensorsReader reader, bool isBase)
    {
        const string projection = Block + "0.0.fn.fast_attention.projection_matrix";
        var blocks = 0;
        while (reader.Entries.ContainsKey($"{Block}{blocks}.0.norm.weight")) blocks++;
        var headWidth = Size(reader, projection, 1);
        var inner = Size(reader, Block + "0.0.fn.to_q.weight", 0);
        if (headWidth == 0 || inner % headWidth != 0) throw Refuse(reader, $"its queries of width {inner} do not divide into heads of {headWidth}");
        var configuration = new ModelConfiguration
        {
            Genes = Size(reader, "pos_emb.emb.weight", 0) - 1,
            Width = Size(reader, "token_emb.weight", 1),
            Blocks = blocks,
            Heads = inner / headWidth,
            HeadWidth = headWidth,
            Features = Size(reader, projection, 0),
            Tokens = Size(reader, "token_emb.weight", 0),
        };
        if (!isBase)
        {
            configuration = configuration with { Manifold = Size(reader, "to_out.fc1.weight", 0), Representation = Size(reader, "to_out.fc2.weight", 0) };
        }
        try
        {
            return configuration.Validated();
        }
        catch (UserException error)
        {
            throw Refuse(reader, error.Message.TrimEnd('.'));
        }
    }

    private static int Size(SafetensorsReader reader, string name, int dimension) => reader.Entries.TryGetValue(name, out var entry)
        ? entry.Shape.Count == 2 && entry.Shape[dimension] <= ushort.MaxValue + 1 ? (int)entry.Shape[dimension] : throw Refuse(reader, $"the weight {name} has an impossible shape")
        : throw Refuse(reader, $"the weight {name} is missing");

    private static UserException Refuse(SafetensorsReader reader, string reason) =>
        new($"{reader.Path}: not a model that Canal can use: {reason}.");
}
