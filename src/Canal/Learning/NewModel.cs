using Canal.Data;
using Canal.Models;

namespace Canal.Learning;

/// <summary>Birth of a model: vocabulary, gene panel and fresh weights.</summary>
public static class NewModel
{
    /// <summary>A fresh base model for data sets: the panel is chosen on the first one's selected cells (method.md section 1.5).</summary>
    /// <param name="readers">The data sets that it will learn from first.</param>
    /// <param name="vocabulary">Text file with one gene symbol a line; null takes the genes of the data sets.</param>
    /// <param name="panelGenes">Genes of the panel; null takes every vocabulary gene with a count in the first data set's cells.</param>
    /// <param name="geometry">Sizes of the network.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <exception cref="UserException">The vocabulary cannot be read, or no gene varies.</exception>
    public static AnnotationModel Create(IReadOnlyList<DataSetReader> readers, string? vocabulary, int? panelGenes, StreamGeometry geometry, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        var panel = Panel(readers, vocabulary, panelGenes);
        var configuration = new ModelConfiguration
        {
            Genes = panel.Count,
            Width = geometry.Width,
            Blocks = geometry.Blocks,
            Heads = geometry.Heads,
            HeadWidth = geometry.HeadWidth,
            Features = geometry.Features,
        };
        return AnnotationModel.Create(configuration, panel, CellTypeLibrary.Empty, seed);
    }

    /// <summary>The genes that a fresh model for data sets looks at.</summary>
    /// <param name="readers">The data sets that it will learn from first; the panel is chosen on the first one's selected cells.</param>
    /// <param name="vocabulary">Text file with one gene symbol a line; null takes the genes of the data sets.</param>
    /// <param name="panelGenes">Genes of the panel; null takes every vocabulary gene with a count in the first data set's cells.</param>
    /// <exception cref="UserException">The vocabulary cannot be read, or no gene varies.</exception>
    public static GenePanel Panel(IReadOnlyList<DataSetReader> readers, string? vocabulary, int? panelGenes)
    {
        ArgumentNullException.ThrowIfNull(readers);
        var genes = vocabulary is null
            ? GeneVocabulary.FromFiles(readers.Select(r => (r.File, r.Source.Location)))
            : GeneVocabulary.Load(vocabulary);
        return readers[0].ChoosePanel(genes, panelGenes);
    }
}
