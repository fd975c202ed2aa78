using Canal.Learning;
using CommandLine;

namespace Canal.Cli.Commands;

/// <summary>Options of the commands that can give birth to a model: its genes and its geometry.</summary>
internal abstract class NewModelOptions : DataOptions
{
    [Option("vocabulary", HelpText = "New model: text file with one gene symbol a line (default: the genes of the data).")]
    public string? Vocabulary { get; set; }

    [Option("panel", Default = "1000", HelpText = "New model: number of highly variable genes to look at, or all.")]
    public string Panel { get; set; } = "1000";

    [Option("size", Default = "small", HelpText = "New model: small (width 64, 2 blocks, 4 heads of 16, 44 features: two cores train it in minutes) or scbert (200, 6, 10 of 64, 266).")]
    public string Size { get; set; } = "small";

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

    /// <summary>Genes of the panel; null for all that are expressed.</summary>
    /// <exception cref="UserException">It is neither a number nor <c>all</c>.</exception>
    public int? PanelGenes() => ModelSizes.Panel(Panel);
}
