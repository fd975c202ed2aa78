using Canal.Learning;
using CommandLine;

namespace Canal.Cli.Commands;

/// <summary>Options of the commands that can give birth to a model: its genes and its geometry.</summary>
internal abstract class NewModelOptions : DataOptions
{
    private const string DefaultPanel = "1000";
    private const string DefaultSize = "small";

    [Option("vocabulary", HelpText = "New model: text file with one gene symbol a line (default: the genes of the data).")]
    public string? Vocabulary { get; set; }

    [Option("panel", Default = DefaultPanel, HelpText = "New model: number of highly variable genes to look at, or all.")]
    public string Panel { get; set; } = DefaultPanel;

    [Option("size", Default = DefaultSize, HelpText = "New model: small (width 64, 2 blocks, 4 heads of 16, 44 features: two cores train it in minutes) or scbert (200, 6, 10 of 64, 266).")]
    public string Size { get; set; } = DefaultSize;

    [Option("width", HelpText = "New model: model width, instead of the size's.")]
    public int? Width { get; set; }

    [Option("blocks", HelpText = "New model: number of encoder blocks, instead of the size's.")]
    public int? Blocks { get; set; }

    [Option("heads", HelpText = "New model: number of attention heads, instead of the size's.")]
    public int? Heads { get; set; }

    [Option("head-width", HelpText = "New model: width of a head, instead of the size's.")]
    public int? HeadWidth { get; set; }

    [Option("features", HelpText = "New model: random features a head (default: head width x its natural logarithm).")]
    public int? Features { get; set; }

    /// <summary>The geometry that the options name.</summary>
    /// <exception cref="UserException">The size is unknown, or a value is out of range.</exception>
    public StreamGeometry Geometry() => ModelSizes.Geometry(Size, Width, Blocks, Heads, HeadWidth, Features);

    /// <summary>Name of an option for new models that was given; null where none was.</summary>
    public string? GivenForNewModel() =>
        Vocabulary is not null ? "--vocabulary" : Panel != DefaultPanel ? "--panel" : Size != DefaultSize ? "--size" : Width is not null ? "--width"
        : Blocks is not null ? "--blocks" : Heads is not null ? "--heads" : HeadWidth is not null ? "--head-width" : Features is not null ? "--features" : null;

    /// <summary>Genes of the panel; null for all that are expressed.</summary>
    /// <exception cref="UserException">It is neither a number nor <c>all</c>.</exception>
    public int? PanelGenes() => ModelSizes.Panel(Panel);
}
