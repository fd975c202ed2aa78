using Canal.Data;

namespace Canal.Tests.Data;

public sealed class GeneAlignmentTests
{
    private static readonly string[] human = ["INS", "GCG", "SST", "PPY", "KRT19", "PRSS1", "CPA1", "PECAM1", "COL1A1", "GHRL"];
    private static readonly GeneVocabulary vocabulary = new(human);

    [Fact]
    public void TheHashIsThatOfTheSymbolsJoinedByNewlines()
    {
        // printf 'A\nB' | sha256sum
        Assert.Equal("23519a43c66b4c342f25b32e09797ec5f3fc0be388cd8243fb3449afbdce4013", new GeneVocabulary(["A", "B"]).Hash);
        Assert.Equal(new GeneVocabulary([" A", "B "]).Hash, new GeneVocabulary(["A", "B"]).Hash);
        Assert.NotEqual(new GeneVocabulary(["B", "A"]).Hash, new GeneVocabulary(["A", "B"]).Hash);
    }

    [Theory]
    [InlineData("A", "B", "A")]
    [InlineData("A", " ")]
    [InlineData]
    public void ABadVocabularyIsRefused(params string[] symbols) => Assert.Throws<UserException>(() => new GeneVocabulary(symbols));

    [Fact]
    public void DuplicateSymbolsCanBeAdded()
    {
        string[] names = ["GCG", "INS", "none", "GCG", "GCG"];
        double[,] values = { { 1, 2, 3, 4, 5 }, { 0, 0, 3, 0, 7 } };
        Assert.Equal([2, 1, 0, 0], Aligned(names, values, DuplicateGenes.First));
        Assert.Equal([2, 10, 0, 7], Aligned(names, values, DuplicateGenes.Sum));

        static double[] Aligned(string[] names, double[,] values, DuplicateGenes duplicates)
        {
            var (rows, aligned) = (new SparseRows(), new SparseRows());
            ExpressionSamples.File(values, names).OpenMatrix("X").ReadCells(0, 2, rows);
            var alignment = GeneAlignment.Match(names, new GeneVocabulary(["INS", "GCG"]), new GeneAlignmentSettings { Duplicates = duplicates });
            alignment.Apply(rows, aligned);
            return ExpressionSamples.ToDense(aligned, 2);
        }
    }

    [Fact]
    public void TheColumnWithTheBestOverlapIsChosenAndCanBeNamed()
    {
        string[] ids = ["ENSG00000254647", "ENSG00000115263", "ENSG00000157005"];
        var file = ExpressionSamples.File(new double[1, 3], ids).WithVar("X", "biotype", ["INS", "x", "y"]).WithVar("X", "feature_name", ["INS", "GCG", " SST "]);
        var chosen = GeneAlignment.Match(file, "X", vocabulary);
        Assert.Equal(("feature_name", 3), (chosen.GeneColumn, chosen.Kept));
        Assert.Equal(1, GeneAlignment.Match(file, "X", vocabulary, new() { GeneColumn = "biotype" }).Kept);
        var error = Assert.Throws<UserException>(() => GeneAlignment.Match(file, "X", vocabulary, new() { GeneColumn = "symbol" }));
        Assert.Contains("index, biotype, feature_name", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AColumnThatRepeatsOneSymbolIsNotChosen()
    {
        var file = ExpressionSamples.File(new double[1, 3], ["INS", "GCG", "other"]).WithVar("X", "nearest", ["INS", "INS", "INS"]);
        var chosen = GeneAlignment.Match(file, "X", vocabulary);
        Assert.Equal(("index", 2), (chosen.GeneColumn, chosen.Kept));
    }

    [Fact]
    public void VersionsOfEnsemblIdsAreStrippedUnlessTurnedOff()
    {
        var ensembl = new GeneVocabulary(["ENSG00000254647", "ENSG00000115263"]);
        string[] names = ["ENSG00000115263.7", "ENSG00000254647.12"];
        Assert.Equal([1, 0], GeneAlignment.Match(names, ensembl).Places.ToArray());
        Assert.Equal([-1, -1], GeneAlignment.Match(names, ensembl, new GeneAlignmentSettings { StripVersions = false }).Places.ToArray());
    }

    [Theory]
    [InlineData("--gene-column", "ENSG00000254647", "ENSG00000115263", "ENSG00000157005")]
    [InlineData("wrong species", "Ins", "Gcg", "Sst", "Krt19")]
    [InlineData("case", "ins", "gcg", "sst", "krt19")]
    [InlineData("version suffixes", "INS.1", "GCG.2", "SST.1")]
    [InlineData("numbers", "0", "1", "2")]
    [InlineData("another species", "YAL001C", "YAL002W", "YAL003W")]
    public void TooSmallAnOverlapIsRefusedWithTheLikelyCure(string cure, params string[] names)
    {
        var file = ExpressionSamples.File(new double[1, names.Length], names);
        var error = Assert.Throws<UserException>(() => GeneAlignment.Match(file, "X", vocabulary));
        Assert.Contains(cure, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void TheLimitOfTheOverlapCanBeSet()
    {
        var file = ExpressionSamples.File(new double[1, 10], ["INS", "a", "b", "c", "d", "e", "f", "g", "h", "i"]);
        Assert.Throws<UserException>(() => GeneAlignment.Match(file, "X", vocabulary));
        Assert.Equal(0.1, GeneAlignment.Match(file, "X", vocabulary, new() { LeastOverlap = 0.1 }).Overlap);
    }

    [Fact]
    public void AVocabularyIsMadeFromTheGenesOfFiles()
    {
        var first = ExpressionSamples.File(new double[1, 2], ["B", "A"]);
        var second = ExpressionSamples.File(new double[1, 2], ["ENSG00000254647", "ENSG00000115263"]).WithVar("X", "feature_name", ["A", "INS"]);
        Assert.Equal(["B", "A", "INS"], GeneVocabulary.FromFiles([(first, "X"), (second, "X")]).Symbols);
    }
}
