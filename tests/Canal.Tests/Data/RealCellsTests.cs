using Canal.Data;
using Canal.Testing;

namespace Canal.Tests.Data;

/// <summary>The development files of the shared folder: what is detected, and the gene panel that data/baselines.md reports.</summary>
public sealed class RealCellsTests
{
    [SkippableTheory]
    [InlineData("pancreas_baron_human")]
    [InlineData("pancreas_segerstolpe")]
    [InlineData("pancreas_five_tech_small")]
    [InlineData("pancreas_lawlor_small")]
    [InlineData("pbmc3k")]
    [InlineData("pbmc68k_reduced")]
    [InlineData("pbmc_zheng_sorted")]
    public void FilesOfTheCommonLayoutHoldCounts(string name)
    {
        using var file = ExpressionFiles.Open(SharedFiles.Require("data", name + ".h5ad"));
        var found = CountDetection.Detect(file);
        Assert.Equal(("X", ExpressionState.Counts), (found.Location, found.State));
        Assert.Empty(found.Warnings);
    }

    [SkippableFact]
    public void OfScanpysReducedBloodTheLogarithmsOfRawAreTaken()
    {
        using var file = ExpressionFiles.Open(SharedFiles.Require("data", "pbmc68k_reduced_scanpy_original.h5ad"));
        var found = CountDetection.Detect(file);
        Assert.Equal(("raw/X", ExpressionState.Logarithm, Math.E), (found.Location, found.State, found.LogBase));
        Assert.Equal(ExpressionState.Scaled, CountDetection.Judge(file, "X").State);
    }

    [SkippableFact]
    public void TheVocabularyHasTheRecordedHash()
    {
        var vocabulary = Vocabulary();
        Assert.Equal(16_906, vocabulary.Count);
        // Recorded in data/README.md, from two independent sources.
        Assert.Equal("4c09ba1912e184682fe5e7f32e2b443bdfb7883d0d0191551b38c6c2f155600f", vocabulary.Hash);
    }

    [SkippableFact]
    public void ThePanelOfTheBloodStreamIsThatOfTheBaselines()
    {
        var vocabulary = Vocabulary();
        using var sorted = Reader("pbmc_zheng_sorted", "split == train");
        var panel = sorted.ChoosePanel(vocabulary, 1000);
        Assert.Equal(1000, panel.Count);
        using var training = sorted.Prepare(panel);
        Assert.Equal((3099, 12_593, 16_791), (training.Count, training.Report.KeptGenes, training.Report.FileGenes));
        // data/baselines.md: panel genes with any count, by stage then unseen set: 1000, 914, 144.
        Assert.Equal([1000, 914, 144], [training.Report.PanelExpressed, Expressed("pbmc3k", "split == train"), Expressed("pbmc68k_reduced", null)]);

        int Expressed(string name, string? where)
        {
            using var reader = Reader(name, where);
            using var cells = reader.Prepare(panel);
            return cells.Report.PanelExpressed;
        }
    }

    [SkippableFact]
    public void TheSplitOfThePancreasStreamHasTheRecordedCells()
    {
        var panel = GenePanel.All(Vocabulary());
        using var reader = Reader("pancreas_five_tech_small", "split == test and also_in == none");
        using var cells = reader.Prepare(panel);
        Assert.Equal((101, 1435), (cells.Count, cells.Report.PanelCovered));
        Assert.Equal(["acinar", "alpha", "beta", "delta", "ductal", "endothelial"], cells.Types);
    }

    private static GeneVocabulary Vocabulary() => GeneVocabulary.Load(SharedFiles.Require("data", "genes_panglao_16906.txt"));

    private static DataSetReader Reader(string name, string? where) =>
        DataSetReader.Open(SharedFiles.Require("data", name + ".h5ad"), new DataSetSettings { Where = where, Label = "cell_type", FewestGenes = 0 });
}
