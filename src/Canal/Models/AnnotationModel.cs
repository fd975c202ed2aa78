using Canal.Annotation;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Random;
using Canal.Learning;

namespace Canal.Models;

/// <summary>
/// Everything that a model is (method.md section 8), in host memory: sizes, genes, cell types, weights, example bank, novelty calibration
/// and where it all comes from. Immutable; a stage makes a new one. One file holds it: see <see cref="ModelFile"/>.
/// </summary>
public sealed record AnnotationModel
{
    /// <summary>Sizes.</summary>
    public required ModelConfiguration Configuration { get; init; }

    /// <summary>The genes it looks at, and the vocabulary that cells are normalised over.</summary>
    public required GenePanel Panel { get; init; }

    /// <summary>The cell types it knows; none in a base model.</summary>
    public required CellTypeLibrary Library { get; init; }

    /// <summary>Values by PyTorch name, row-major, as <see cref="ModelConfiguration.Specify"/> lists them.</summary>
    public required IReadOnlyDictionary<string, float[]> Weights { get; init; }

    /// <summary>Cells kept from earlier stages.</summary>
    public ExampleBank Bank { get; init; } = ExampleBank.Empty(0);

    /// <summary>What decides novelty; null where no stage had validation cells.</summary>
    public NoveltyCalibration? Novelty { get; init; }

    /// <summary>Pre-training and stages, in order.</summary>
    public IReadOnlyList<StageRecord> Provenance { get; init; } = [];

    /// <summary>Whether the gene embedding is given (gene2vec) and never trains.</summary>
    public bool GeneEmbeddingIsFixed { get; init; }

    /// <summary>The checksum of the file that the model was read from or written to; null before that.</summary>
    public string? Checksum { get; init; }

    /// <summary>Base model or annotation model.</summary>
    public ModelKind Kind => Library.Count == 0 ? ModelKind.Base : ModelKind.Annotation;

    /// <summary>Number of stages learned.</summary>
    public int Stages => Provenance.Count == 0 ? 0 : Provenance.Max(record => record.Stage);

    /// <summary>Whether anything it was trained on was simulated.</summary>
    public bool Simulated => Provenance.Any(record => record.Simulated);

    /// <summary>A model drawn from a seed, as fresh PyTorch modules would be: a base where the library is empty.</summary>
    public static AnnotationModel Create(ModelConfiguration configuration, GenePanel panel, CellTypeLibrary library, ulong seed)
    {
        if (panel.Count != configuration.Genes) throw new ArgumentException($"A panel of {panel.Count} genes for a model of {configuration.Genes}.", nameof(panel));
        var specifications = configuration.Validated().Specify(library.Count);
        var weights = new Dictionary<string, float[]>(StringComparer.Ordinal);
        for (var index = 0; index < specifications.Count; index++) weights[specifications[index].Name] = Draw(specifications[index], seed, index);
        var model = new AnnotationModel { Configuration = configuration, Panel = panel, Library = library, Weights = weights };
        return library.Count == 0 ? model : model.WithPrototypes(0, library, seed);
    }

    /// <summary>
    /// This model made ready for a library that has grown: old prototypes copied, new ones fresh (method.md section 4). A base model gets a
    /// fresh cell-type head on its encoder.
    /// </summary>
    /// <param name="library">This model's library, grown.</param>
    /// <param name="seed">Seed of the fresh weights; each type's depend on the seed, its stage and its index alone.</param>
    public AnnotationModel Grow(CellTypeLibrary library, ulong seed)
    {
        if (!library.Names.Take(Library.Count).SequenceEqual(Library.Names)) throw new ArgumentException("A library only ever grows at its end.", nameof(library));
        if (library.Count == Library.Count) return this;
        if (Kind == ModelKind.Annotation) return WithPrototypes(Library.Count, library, seed);
        var fresh = Create(Configuration, Panel, library, seed);
        return this with { Library = library, Weights = fresh.Weights.ToDictionary(w => w.Key, w => IsHead(w.Key) ? w.Value : Weights[w.Key], StringComparer.Ordinal) };
    }

    /// <summary>Uploads the weights into a new parameter set in state_dict order, of which nothing trains yet. The caller disposes it.</summary>
    public ParameterSet CreateParameters(Device device)
    {
        var parameters = new ParameterSet(device, Configuration.Specify(Library.Count));
        foreach (var parameter in parameters.Parameters) parameters.Write(parameter.Name, Weights[parameter.Name]);
        return parameters;
    }

    /// <summary>This model with the weights of a parameter set.</summary>
    public AnnotationModel WithWeights(ParameterSet parameters) =>
        this with { Weights = parameters.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameters.Read(parameter.Name), StringComparer.Ordinal), Checksum = null };

    /// <summary>The last two layers of the cell-type head, for <see cref="FileNovelty"/>.</summary>
    public HeadLayers HeadLayers() => new(Weights["to_out.fc2.weight"], Weights["to_out.fc2.bias"], Weights[CellTypeHead.PrototypeName], Weights[CellTypeHead.PrototypeBiasName]);

    private static bool IsHead(string name) => name.StartsWith("to_out.", StringComparison.Ordinal);

    private static float[] Draw(ParameterSpecification specification, ulong seed, int index)
    {
        var values = new float[specification.Shape.Count];
        specification.Start.Fill(values, specification.Shape, seed, index);
        return values;
    }

    private AnnotationModel WithPrototypes(int old, CellTypeLibrary library, ulong seed)
    {
        var width = Configuration.Representation;
        var (weight, bias) = (new float[library.Count * width], new float[library.Count]);
        Weights[CellTypeHead.PrototypeName].AsSpan(0, old * width).CopyTo(weight);
        Weights[CellTypeHead.PrototypeBiasName].AsSpan(0, old).CopyTo(bias);
        var scale = Initialisation.Linear(width).Scale;
        for (var type = old; type < library.Count; type++)
        {
            var draws = new RandomSequence(seed, RandomPurpose.Prototypes, library.Stages[type], index: type);
            foreach (ref var value in weight.AsSpan(type * width, width)) value = (float)draws.NextDouble(-scale, scale);
            bias[type] = (float)draws.NextDouble(-scale, scale);
        }
        var weights = new Dictionary<string, float[]>(Weights, StringComparer.Ordinal) { [CellTypeHead.PrototypeName] = weight, [CellTypeHead.PrototypeBiasName] = bias };
        return this with { Library = library, Weights = weights, Checksum = null };
    }
}
