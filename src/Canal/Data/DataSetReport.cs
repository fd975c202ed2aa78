using System.Globalization;

namespace Canal.Data;

/// <summary>What was read from a data set, what was left out and why: for printing and for a model's provenance.</summary>
public sealed record DataSetReport
{
    /// <summary>Path of the file.</summary>
    public required string Path { get; init; }

    /// <summary>Cells in the file.</summary>
    public required int FileCells { get; init; }

    /// <summary>Cells that the selection names.</summary>
    public required int SelectedCells { get; init; }

    /// <summary>Cells that are used.</summary>
    public required int UsedCells { get; init; }

    /// <summary>Selected cells without a label that were left out.</summary>
    public required int Unlabelled { get; init; }

    /// <summary>Cells of low quality, left out or flagged.</summary>
    public required int LowQuality { get; init; }

    /// <summary>Whether the cells of low quality are kept.</summary>
    public required bool KeepsLowQuality { get; init; }

    /// <summary>Expressed genes below which a cell is of low quality; 0 where cells were not judged.</summary>
    public required double FewestGenes { get; init; }

    /// <summary>The matrix that was used, and what it holds.</summary>
    public required CountSource Source { get; init; }

    /// <summary>var column of the gene names.</summary>
    public required string GeneColumn { get; init; }

    /// <summary>Genes in the file.</summary>
    public required int FileGenes { get; init; }

    /// <summary>Genes of the file that the vocabulary has.</summary>
    public required int KeptGenes { get; init; }

    /// <summary>Genes of the panel.</summary>
    public required int PanelGenes { get; init; }

    /// <summary>Genes of the panel that the file has.</summary>
    public required int PanelCovered { get; init; }

    /// <summary>Genes of the panel with a count in any of the cells.</summary>
    public required int PanelExpressed { get; init; }

    /// <summary>Cells of each type, types in ordinal order; empty where labels were not read.</summary>
    public required IReadOnlyList<KeyValuePair<string, int>> Types { get; init; }

    /// <summary>Whether the file says that it is simulated: whatever is made from it must say so too.</summary>
    public required bool Simulated { get; init; }

    /// <summary>What the user should know.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>The report in lines, without the warnings.</summary>
    public IEnumerable<string> Lines()
    {
        static string N(int value) => value.ToString("N0", CultureInfo.InvariantCulture);
        static string Share(int part, int whole) => (whole == 0 ? 0 : 100.0 * part / whole).ToString("0.#", CultureInfo.InvariantCulture) + " %";
        yield return $"{Path}: {N(UsedCells)} of {N(FileCells)} cells" + (SelectedCells < FileCells ? $" ({N(SelectedCells)} selected)" : "");
        if (Simulated) yield return Simulation.StudySimulator.Notice;
        yield return $"matrix {Source.Location}: {Source.Description}";
        if (Unlabelled > 0) yield return $"{N(Unlabelled)} cells without a label left out";
        if (LowQuality > 0)
        {
            var least = FewestGenes > 0 ? $"fewer than {FewestGenes.ToString("0.#", CultureInfo.InvariantCulture)} expressed genes, or none of the model's" : "none of the model's genes";
            yield return $"{N(LowQuality)} cells of low quality ({least}) {(KeepsLowQuality ? "flagged" : "left out")}";
        }
        yield return $"{N(KeptGenes)} of {N(FileGenes)} genes ({Share(KeptGenes, FileGenes)}) matched by {GeneColumn}; panel {N(PanelCovered)} of {N(PanelGenes)} ({Share(PanelCovered, PanelGenes)}), {N(PanelExpressed)} expressed";
        if (Types.Count > 0) yield return $"{N(Types.Count)} cell types: " + string.Join(", ", Types.Select(t => $"{t.Key} {N(t.Value)}"));
    }
}
