using System.Globalization;
using Canal.Data;

namespace Canal.Tests.Data;

public sealed class FoldsTests
{
    [Fact]
    public void TheNumberIsTheFirstEightBytesOfTheHashMostSignificantFirst()
    {
        // printf 'stage 1\ncell7' | sha256sum | cut -c 1-16
        Assert.Equal(ulong.Parse("08212bca6318b422", NumberStyles.HexNumber, CultureInfo.InvariantCulture), Folds.HashOf("stage 1", "cell7"));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 1)]
    [InlineData(7, 1)]
    [InlineData(8, 2)]
    [InlineData(100, 20)]
    public void OfEachTypeAFifthValidates(int cells, int expected)
    {
        var ids = MemoryExpressionFile.NumberedCells(2 * cells);
        int[] labels = [.. Enumerable.Range(0, 2 * cells).Select(i => i % 2)];
        var validation = Folds.Validation("study", ids, labels);
        for (var type = 0; type < 2; type++) Assert.Equal(expected, Enumerable.Range(0, ids.Length).Count(i => labels[i] == type && validation[i]));
    }

    [Fact]
    public void AFoldDependsNeitherOnOrderNorOnOtherTypes()
    {
        var ids = MemoryExpressionFile.NumberedCells(60);
        var alone = Folds.Validation("study", ids, new int[60]);
        string[] mixed = [.. ids.Reverse().Concat(MemoryExpressionFile.NumberedCells(40, "other"))];
        int[] labels = [.. Enumerable.Repeat(1, 60).Concat(Enumerable.Repeat(0, 40))];
        Assert.Equal(alone, Folds.Validation("study", mixed, labels).Take(60).Reverse());
        Assert.NotEqual(alone, Folds.Validation("another", ids, new int[60]));
    }

    [Fact]
    public void CellsWithoutALabelAreInNoFold() => Assert.DoesNotContain(true, Folds.Validation("study", MemoryExpressionFile.NumberedCells(9), Enumerable.Repeat(-1, 9).ToArray()));
}
