using Canal.Data;

namespace Canal.Tests.Data;

public sealed class CellSelectionTests
{
    private static readonly MemoryExpressionFile file = ExpressionSamples.Empty(5)
        .WithObs("split", ["train", "test", "train", null, " train "])
        .WithObs("cell type", ["alpha", "beta", "T cell, CD4+", "alpha", "and"])
        .WithObs("is_doublet", ["True", "False", "False", "False", "True"]);

    [Theory]
    [InlineData("split == train", "0 2 4")]
    [InlineData("split==train", "0 2 4")]
    [InlineData("split != train", "1 3")]
    [InlineData("split in (train, test)", "0 1 2 4")]
    [InlineData("'cell type' == alpha", "0 3")]
    [InlineData("\"cell type\" == 'T cell, CD4+'", "2")]
    [InlineData("'cell type' == and", "4")]
    [InlineData("split == train and 'cell type' in (alpha, and)", "0 4")]
    [InlineData("split == train AND is_doublet == false", "2")]
    [InlineData("split == nothing", "")]
    public void SelectsCells(string text, string expected) =>
        Assert.Equal(expected, string.Join(' ', CellSelection.Parse(text).Apply(file).Select((s, i) => (s, i)).Where(p => p.s).Select(p => p.i)));

    [Theory]
    [InlineData("", "a column at the end")]
    [InlineData("split", "==, != or in at the end")]
    [InlineData("split = train", "==, != or in at character 7")]
    [InlineData("split == ", "a value at the end")]
    [InlineData("split == train or x == y", "'and' or the end at character 16")]
    [InlineData("split in train", "( at character 10")]
    [InlineData("split in (train", ", or ) at the end")]
    [InlineData("split in ()", "a value at character 11")]
    [InlineData("split == 'train", "opened at character 10 is not closed")]
    [InlineData("split == train and", "a column at the end")]
    public void SaysWhatWasExpectedWhere(string text, string expected)
    {
        var error = Assert.Throws<UserException>(() => CellSelection.Parse(text));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnknownColumnIsNamedWithThoseThereAre()
    {
        var error = Assert.Throws<UserException>(() => CellSelection.Parse("donor == a").Apply(file));
        Assert.Contains("is_doublet", error.Message, StringComparison.Ordinal);
    }
}
