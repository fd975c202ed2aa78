
namespace Canal.Cli.Tests;

/// <summary>Bad data sets, each refused by annotate and by learn in one line that says what is wrong and what to do, with nothing written.</summary>
[Collection(SimulatedStreamTests.Name)]
public sealed class BadDataTests(SimulatedStream stream) : IDisposable
{
    private readonly BadInput bad = new();

    public void Dispose() => bad.Dispose();

    [Fact]
    public void NotHdf5() => BothRefuse(bad.Write("text.h5ad", "cell,gene,count\n"u8), "text.h5ad", "HDF5");

    [Fact]
    public void AnEmptyFile() => BothRefuse(bad.Write("empty.h5ad", []), "empty.h5ad", "empty");

    [Fact]
    public void NoSuchFile() => BothRefuse(bad.In("missing.h5ad"), "missing.h5ad", "no such file");

    [Theory, InlineData(0.02), InlineData(0.5), InlineData(0.9), InlineData(0.999)]
    public void ATruncatedFile(double share)
    {
        var whole = File.ReadAllBytes(stream.Unseen);
        BothRefuse(bad.Write("half.h5ad", whole.AsSpan(0, (int)(share * whole.Length))), "half.h5ad");
    }

    [Fact]
    public void NoMatrix() => BothRefuse(bad.Change(stream.Unseen, root => root.Delete("X")), "changed.h5ad", "no expression matrix");

    [Fact]
    public void NoCells() => BothRefuse(bad.Rewrite(stream.Unseen, cells: 0), "made.h5ad", "no cells");

    [Theory, InlineData(double.NaN, "NaN"), InlineData(-1, "negative"), InlineData(double.PositiveInfinity, "infinite")]
    public void ValuesThatAreNoCounts(double value, string word) => BothRefuse(
        bad.Rewrite(stream.Unseen, rows: block =>
        {
            block.MutableValues(block.Cells - 1)[3] = value;
            return block;
        }),
        "made.h5ad", word);

    [Fact]
    public void CellsOfTheSameName() => BothRefuse(bad.Rewrite(stream.Unseen, cell: (name, i) => i == 40 ? "study_unseen_cell7" : name), "study_unseen_cell7", "--cell-id");

    [Fact]
    public void CellsOfTheSameNameMayBeNamedByAColumn()
    {
        var path = bad.Rewrite(stream.Unseen, cell: (name, i) => i == 40 ? "study_unseen_cell7" : name, column: "donor", value: (_, i) => "d" + i);
        var run = CommandLineRun.Of("annotate", path, "-m", stream.Stage2, "-o", bad.Out("named.csv"), "--cell-id", "donor");

        Assert.True(run.Code == ExitCodes.Done, run.Error);
        Assert.StartsWith("d0,", File.ReadAllLines(bad.Out("named.csv"))[1], StringComparison.Ordinal);
    }

    [Fact]
    public void EnsemblIdsInsteadOfSymbols() => BothRefuse(
        bad.Rewrite(stream.Unseen, gene: (_, i) => "ENSG" + (100000 + i).ToString("D11", System.Globalization.CultureInfo.InvariantCulture)), "made.h5ad", "Ensembl", "--gene-column");

    [Fact]
    public void MouseSymbols() => BothRefuse(bad.Rewrite(stream.Unseen, gene: (name, _) => name[0] + name[1..].ToLowerInvariant()), "made.h5ad", "mouse");

    [Fact]
    public void OtherGenes() => BothRefuse(bad.Rewrite(stream.Unseen, gene: (_, i) => "locus_" + i), "made.h5ad", "genes");

    [Fact]
    public void AFileThatIsBeingWritten()
    {
        var path = bad.In("growing.h5ad");
        File.Copy(stream.Unseen, path);
        using var writing = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        var run = CommandLineRun.Of("annotate", path, "-m", stream.Stage2, "-o", bad.Out("old.csv"));
        run.AssertRefused("growing.h5ad", "writing");
        Assert.Equal("an output of yesterday", File.ReadAllText(bad.Out("old.csv")));
    }

    [Theory, InlineData("data.txt"), InlineData("data.h5"), InlineData("data.loom")]
    public void AnotherKindOfFile(string name) => BothRefuse(bad.Write(name, "x"u8), name, ".h5ad");

    [Fact]
    public void NoSuchLabelColumn() => bad.Refuses([.. Learn(stream.Study1), "--label", "kind"], "kind", "cell_type", "--label");

    [Fact]
    public void LabelsWithGaps()
    {
        var path = bad.Rewrite(stream.Study1, value: (type, i) => i % 7 == 0 ? null : type);
        bad.Refuses(Learn(path), "label", "--skip-unlabelled");

        var run = CommandLineRun.Of([.. Learn(path), "--skip-unlabelled"]);
        Assert.True(run.Code == ExitCodes.Done, run.Error);
        Assert.Contains("9 cells without a label left out", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void NoLabelAtAll() => bad.Refuses([.. Learn(bad.Rewrite(stream.Study1, value: (_, _) => null)), "--skip-unlabelled"], "label");

    [Fact]
    public void ASingleType() => bad.Refuses([.. Learn(stream.Study1), "--where", "cell_type == alpha"], "two");

    [Fact]
    public void AColumnThatIsNotThere()
    {
        BothRefuseWith(stream.Study1, ["--where", "batch == 1"], "batch", "cell_type");
        bad.Refuses([.. Annotate(stream.Study1), "--cluster", "leiden"], "leiden");
        bad.Refuses(["explain", stream.Study1, "-m", stream.Stage2, "-o", bad.Out("old.csv"), "--by", "leiden"], "leiden");
        bad.Refuses(["evaluate", stream.Annotated, "--truth", "kind"], "kind");
        BothRefuseWith(stream.Study1, ["--cell-id", "barcode"], "barcode");
        BothRefuseWith(stream.Study1, ["--matrix", "layers/counts"], "layers/counts");
        BothRefuseWith(stream.Study1, ["--gene-column", "symbol"], "symbol");
    }

    [Theory]
    [InlineData("split = train")]
    [InlineData("split ==")]
    [InlineData("== train")]
    [InlineData("split in (train")]
    [InlineData("split == train or donor == d1")]
    [InlineData("")]
    public void AConditionThatCannotBeRead(string where) => BothRefuseWith(stream.Study1, ["--where", where], "where");

    [Fact]
    public void AConditionThatNoCellMeets() => BothRefuseWith(stream.Study1, ["--where", "split == validation"], "no cell", "train");

    [Fact]
    public void AnnotationsAreNeededForEvaluation() => bad.Refuses(["evaluate", stream.Study1, "--truth", "cell_type"], "canal annotate");

    private string[] Annotate(string path) => ["annotate", path, "-m", stream.Stage2, "-o", bad.Out("old.h5ad")];

    private string[] Learn(string path) => ["learn", path, "-m", stream.Base, "-o", bad.Out("old.safetensors"), "--epochs", "1"];

    private void BothRefuse(string path, params string[] words) => BothRefuseWith(path, [], words);

    private void BothRefuseWith(string path, string[] options, params string[] words)
    {
        bad.Refuses([.. Annotate(path), .. options], words);
        bad.Refuses([.. Learn(path), .. options], words);
    }
}
