using Canal.Models;

namespace Canal.Tests.Models;

public sealed class CellTypeLibraryTests
{
    [Fact]
    public void Known_types_keep_their_index_and_new_ones_are_appended_in_order_of_name()
    {
        var first = CellTypeLibrary.Empty.Grow(["beta", "alpha", "beta", "Beta"], 1);
        Assert.Equal(["Beta", "alpha", "beta"], first.Names);
        var second = first.Grow(["delta", "alpha", " acinar "], 3);
        Assert.Equal(["Beta", "alpha", "beta", "acinar", "delta"], second.Names);
        Assert.Equal([1, 1, 1, 3, 3], second.Stages);
        Assert.Equal(2, second.IndexOf(" beta\t"));
        Assert.Equal(-1, second.IndexOf("BETA"));
        Assert.Equal(3, first.Count);
        Assert.Same(second, second.Grow(["alpha"], 4));
    }

    [Theory]
    [InlineData(" ", "empty")]
    [InlineData("Unassigned", "novel")]
    public void Names_that_cannot_be_types_are_refused(string name, string expected) =>
        Assert.Contains(expected, Assert.Throws<UserException>(() => CellTypeLibrary.Empty.Grow([name], 1)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_library_that_cannot_be_is_refused()
    {
        Assert.Throws<UserException>(() => new CellTypeLibrary(["a", "a "], [1, 1]));
        Assert.Throws<UserException>(() => new CellTypeLibrary(["a", "b"], [1]));
        Assert.Throws<UserException>(() => new CellTypeLibrary(["a", "b"], [2, 1]));
        Assert.Throws<UserException>(() => new CellTypeLibrary(["a"], [0]));
        Assert.Throws<UserException>(() => new CellTypeLibrary([new string('x', 2000)], [1]));
    }
}
