using Canal.Data;
using CommandLine;

namespace Canal.Cli.Commands;

/// <summary>Options of the commands that read cells and compute.</summary>
internal abstract class DataOptions : EngineOptions
{
    [Option("where", HelpText = "Cells to read, for example \"split == train and donor in (d1, d2)\".")]
    public string? Where { get; set; }

    [Option("cell-id", HelpText = "obs column with the cells' names (default: the obs index).")]
    public string? CellId { get; set; }

    [Option("matrix", HelpText = "Matrix that holds the counts: X, raw/X or layers/NAME (default: found by looking).")]
    public string? Matrix { get; set; }

    [Option("gene-column", HelpText = "var column with the gene symbols (default: the one that fits the model best).")]
    public string? GeneColumn { get; set; }

    [Option("duplicates", Default = DuplicateGenes.First, HelpText = "A symbol that occurs twice: first counts the first column, sum adds them.")]
    public DuplicateGenes Duplicates { get; set; }

    [Option("least-overlap", Default = 0.2, HelpText = "Smallest share of the file's genes that the model must know, 0 to 1.")]
    public double LeastOverlap { get; set; } = 0.2;

    [Option("min-genes", HelpText = "Expressed genes below which a cell is of low quality; 0 judges none (default: 20 % of the file's median).")]
    public int? MinimumGenes { get; set; }

    [Option("scratch", HelpText = "Folder for scratch files (default: beside the output).")]
    public string? Scratch { get; set; }

    /// <summary>How to read a data set for annotation: every cell, no labels.</summary>
    public DataSetSettings ForAnnotation(string? scratchBeside) => Settings(scratchBeside) with { KeepLowQuality = true };

    /// <summary>How to read a data set for training: labelled cells of good quality.</summary>
    /// <param name="labels">The command's label options.</param>
    /// <param name="scratchBeside">Folder for scratch files where none was named.</param>
    /// <param name="name">Name of the data set, which its folds are drawn with; null takes the content hash.</param>
    public DataSetSettings ForTraining(ILabelOptions labels, string? scratchBeside, string? name) =>
        Settings(scratchBeside) with { Label = labels.Label, SkipUnlabelled = labels.SkipUnlabelled, Name = name };

    /// <summary>How to read a data set, without labels.</summary>
    protected DataSetSettings Settings(string? scratchBeside)
    {
        if (LeastOverlap is < 0 or > 1 || !double.IsFinite(LeastOverlap)) throw new UserException($"--least-overlap {LeastOverlap}: give a share from 0 to 1");
        if (MinimumGenes < 0) throw new UserException($"--min-genes {MinimumGenes}: give 0 or more");
        return new DataSetSettings
        {
            Where = Where,
            CellIdColumn = CellId,
            Matrices = Matrix is null ? null : [Matrix],
            Genes = new GeneAlignmentSettings { GeneColumn = GeneColumn, Duplicates = Duplicates, LeastOverlap = LeastOverlap },
            FewestGenes = MinimumGenes,
            ScratchFolder = Scratch ?? scratchBeside,
        };
    }
}
