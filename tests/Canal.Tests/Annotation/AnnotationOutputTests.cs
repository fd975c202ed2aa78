using System.Globalization;
using Canal.Annotation;
using Canal.Data;
using Canal.Data.H5ad;
using Canal.Interop.Hdf5;
using Canal.Models;
using Canal.Testing;
using Canal.Tests.Learning;

namespace Canal.Tests.Annotation;

public sealed class AnnotationOutputTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheCsv_KeepsTheOrderAndTheVerdictOfNovelty()
    {
        // One unit in the last place apart; in float32 all three would be 0.5.
        double[] novelty = [Math.BitDecrement(0.5), 0.5, Math.BitIncrement(0.5)];
        AnnotationOutput.WriteCsv(Result(novelty), folder["labels.csv"]);
        var rows = File.ReadAllLines(folder["labels.csv"]).Select(line => line.Split(',')).ToList();
        var column = Array.IndexOf(rows[0], "canal_novelty");
        Assert.Equal(novelty, rows.Skip(1).Select(row => double.Parse(row[column], CultureInfo.InvariantCulture)));
        Assert.Equal(["a", "a", CellTypeLibrary.Unassigned], rows.Skip(1).Select(row => row[1]));
    }

    [Theory]
    [InlineData(false, false, null)]
    [InlineData(true, false, "the model was made from simulated cells")]
    [InlineData(false, true, "the cells are simulated")]
    [InlineData(true, true, "the cells are simulated, and the model was made from simulated cells")]
    public void TheCopy_SaysWhatIsSimulated(bool model, bool cells, string? expected)
    {
        var (source, target) = (folder["in.h5ad"], folder["out.h5ad"]);
        Write(source);
        var fresh = LearningSamples.Fresh() with { Provenance = [new StageRecord { Stage = 1, Name = "s", DataHash = "00", Cells = 3, Seed = 1, SoftwareVersion = "0", Simulated = model }] };
        AnnotationOutput.WriteH5ad(Result([0, 0, 0]), 3, source, target, fresh, "m", new Dictionary<string, string>(), cells, CancellationToken.None);
        using var file = Hdf5File.OpenRead(target);
        using var uns = file.Root.OpenGroup("uns");
        using var canal = uns.OpenGroup("canal");
        Assert.Equal(expected is not null, canal.Has("simulated"));
        if (expected is null) return;
        using var note = canal.OpenDataset("simulated");
        var text = new string[1];
        note.Read(0, text);
        Assert.Equal(expected, text[0]);
    }

    private static AnnotationResult Result(double[] novelty) => new()
    {
        Types = ["a"],
        Rows = [.. Enumerable.Range(0, novelty.Length)],
        CellIds = [.. novelty.Select((_, cell) => "cell" + cell.ToString(CultureInfo.InvariantCulture))],
        Best = [.. novelty.SelectMany(_ => new[] { 0, -1, -1 })],
        Probabilities = new float[3 * novelty.Length],
        Energy = new float[novelty.Length],
        Novelty = novelty,
        LowQuality = new bool[novelty.Length],
        Representations = new float[2 * novelty.Length],
        Width = 2,
        Rule = NoveltyRule.Stored,
    };

    private static void Write(string path)
    {
        using var writer = new H5adWriter(path, 2);
        var rows = new SparseRows();
        for (var cell = 0; cell < 3; cell++) rows.Append([cell % 2], [1]);
        writer.Append(rows);
        writer.Complete(new AnnotationTable(["cell0", "cell1", "cell2"], []), new AnnotationTable(["g0", "g1"], []));
    }
}
