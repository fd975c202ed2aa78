using Canal.Benchmarks;
using Canal.Data;
using Canal.Testing;

namespace Canal.Tests.Benchmarks;

public sealed class ReadingBenchmarkTests
{
    [Fact]
    public void EveryCellIsReadAndNothingIsLeft()
    {
        using var folder = new TemporaryFolder();
        var settings = new ReadingSettings { Cells = [40, 90], Genes = 400, Transcripts = 60, PanelGenes = 50, ScratchFolder = folder.Root };
        var results = ReadingBenchmark.Run(settings, null, CancellationToken.None);
        Assert.Equal([40, 90], results.Select(r => r.Cells));
        Assert.All(results, r => Assert.InRange(r.Entries, 10L * r.Cells, 60L * r.Cells));
        Assert.All(results, r => Assert.True(r.Seconds > 0 && r.FileBytes > 0));
        Assert.Empty(Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void ADrawnStudyIsOneThatCanBeLearned()
    {
        using var folder = new TemporaryFolder();
        var path = folder["study.h5ad"];
        var entries = DrawnStudy.Write(path, new DrawnStudySettings(600, 300, 200, Types: 4));
        using var reader = DataSetReader.Open(path, new DataSetSettings { Label = "cell_type", Where = "split == train", FewestGenes = 0 });
        using var cells = reader.Prepare(reader.ChoosePanel(new GeneVocabulary(reader.File.GeneNames("X")), 100));
        Assert.Equal(["type_0000000", "type_0000001", "type_0000002", "type_0000003"], cells.Types);
        Assert.Equal((480, true), (cells.Count, cells.Report.Simulated));
        Assert.True(cells.Tokens.Entries < entries);
        using var again = new TemporaryFolder();
        DrawnStudy.Write(again["study.h5ad"], new DrawnStudySettings(600, 300, 200, Types: 4));
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(again["study.h5ad"]));
    }
}
