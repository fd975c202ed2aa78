namespace Canal.Learning;

/// <summary>Where a stream's first model comes from.</summary>
public enum StreamBaseKind : byte
{
    /// <summary>Masked-expression pre-training.</summary>
    Pretrain,

    /// <summary>No pre-training: stage 1 trains all blocks.</summary>
    Scratch,

    /// <summary>A model file.</summary>
    Model,
}

/// <summary>One selection of cells in a file.</summary>
/// <param name="Data">Absolute path of the data set.</param>
/// <param name="Where">Selection (<c>split == train</c>), or null for all cells.</param>
public sealed record StreamCells(string Data, string? Where);

/// <summary>Where the first model comes from.</summary>
/// <param name="Kind">Pre-training, nothing, or a file.</param>
/// <param name="ModelPath">Absolute path, for <see cref="StreamBaseKind.Model"/>.</param>
/// <param name="Cells">What is pre-trained on; empty means stage 1's cells (their labels are not read).</param>
/// <param name="Settings">How, for <see cref="StreamBaseKind.Pretrain"/>.</param>
public sealed record StreamBase(StreamBaseKind Kind, string? ModelPath, IReadOnlyList<StreamCells> Cells, PretrainSettings Settings);

/// <summary>One stage of a stream.</summary>
/// <param name="Name">Name; the folds and the model's provenance carry it.</param>
/// <param name="Cells">Its cells.</param>
/// <param name="Label">Label column.</param>
public sealed record StreamStage(string Name, StreamCells Cells, string Label);

/// <summary>One test set of a stream.</summary>
/// <param name="Name">Name.</param>
/// <param name="Stage">Index of the stage that it belongs to, 0-based; null for an unseen set.</param>
/// <param name="Cells">Its cells.</param>
/// <param name="Label">Label column.</param>
/// <param name="Merge">Cell types that count as another, in truth and in prediction.</param>
public sealed record StreamTest(string Name, int? Stage, StreamCells Cells, string Label, IReadOnlyDictionary<string, string> Merge);

/// <summary>Geometry of the network that a stream creates.</summary>
/// <param name="Width">C.</param>
/// <param name="Blocks">Encoder blocks.</param>
/// <param name="Heads">H.</param>
/// <param name="HeadWidth">D.</param>
/// <param name="Features">M.</param>
public sealed record StreamGeometry(int Width, int Blocks, int Heads, int HeadWidth, int Features);

/// <summary>A stream file, read and checked (design.md, Formats).</summary>
/// <param name="Name">Name of the stream.</param>
/// <param name="Seeds">One run each.</param>
/// <param name="Base">The first model.</param>
/// <param name="Geometry">Geometry of a new model.</param>
/// <param name="Vocabulary">Absolute path of a gene list; null takes the genes of the files that the base is made from.</param>
/// <param name="PanelSize">Genes of the panel; null takes all that are expressed.</param>
/// <param name="MinimumGenes">Expressed genes below which a cell is low quality; 0 judges none.</param>
/// <param name="Ablations">What is run beside the full method.</param>
/// <param name="Learning">How a stage learns; the seed comes from <paramref name="Seeds"/>.</param>
/// <param name="Stages">At least one.</param>
/// <param name="Tests">Test sets; without any, each stage's <c>split == test</c> cells where its selection says <c>split == train</c>.</param>
/// <param name="Output">Absolute path of the folder for models, matrices and logs.</param>
public sealed record StreamPlan(
    string Name, IReadOnlyList<ulong> Seeds, StreamBase Base, StreamGeometry Geometry, string? Vocabulary, int? PanelSize, int MinimumGenes,
    IReadOnlyList<Ablation> Ablations, LearningSettings Learning, IReadOnlyList<StreamStage> Stages, IReadOnlyList<StreamTest> Tests, string Output)
{
    /// <summary>Largest learning rate of a first stage from scratch; null where the file gives one rate for every stage.</summary>
    public double? ScratchRate { get; init; }

    /// <summary>Bank policies that are run beside the full method's, in the same number of steps.</summary>
    public IReadOnlyList<BankPolicy> BankPolicies { get; init; } = [];

    /// <summary>Everything that is run on a seed, the full method first: name and settings.</summary>
    internal IReadOnlyList<StreamVariant> Variants =>
    [
        new("full", Learning with { Ablation = Ablation.None }),
        .. Ablations.Select(a => new StreamVariant(StreamPlanReader.NameOf(a), Learning with { Ablation = a })),
        .. BankPolicies.Where(p => p != Learning.BankPolicy).Select(p => new StreamVariant($"{StreamPlanReader.NameOf(p)}-bank", Learning with { Ablation = Ablation.None, BankPolicy = p })),
    ];
}

/// <summary>The full method, or what is run beside it.</summary>
/// <param name="Name">Its name in tables, matrices and folders.</param>
/// <param name="Learning">How its stages learn; the seed comes from the stream.</param>
internal sealed record StreamVariant(string Name, LearningSettings Learning);
