using Canal.Data;
using Canal.Testing;

namespace Canal.Tests.Data;

public sealed class FeatureStoreTests
{
    private const int Panel = 500, Cells = 3000;

    [Theory]
    [InlineData(long.MaxValue, true)]
    [InlineData(1, false)]
    [InlineData(100_000, false)]
    public void FeaturesComeBackWhereverTheyLie(long memory, bool inMemory)
    {
        using var folder = new TemporaryFolder();
        using (var store = new FeatureStore(Panel, memory, folder.Root))
        {
            for (var cell = 0; cell < Cells; cell++) store.Add(Positions(cell), Values(cell));
            Assert.Equal((Cells, inMemory), (store.Cells, store.InMemory));
            for (var cell = Cells - 1; cell >= 0; cell -= 7)
            {
                Assert.True(store.Values(cell).SequenceEqual(Values(cell)), $"values of cell {cell}");
                Assert.True(store.Positions(cell).SequenceEqual(Positions(cell)), $"positions of cell {cell}");
            }
        }
        Assert.Empty(Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void ThreadsReadForThemselves()
    {
        using var folder = new TemporaryFolder();
        using var store = new FeatureStore(Panel, 1, folder.Root);
        for (var cell = 0; cell < Cells; cell++) store.Add(Positions(cell), Values(cell));
        var wrong = 0;
        Parallel.For(0, 4, thread =>
        {
            for (var cell = thread; cell < Cells; cell += 3)
            {
                var positions = store.Positions(cell);
                var values = store.Values(cell);
                if (!positions.SequenceEqual(Positions(cell)) || !values.SequenceEqual(Values(cell))) Interlocked.Increment(ref wrong);
            }
        });
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void AFolderThatCannotBeWrittenToIsNamed()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        using var store = new FeatureStore(Panel, 1, folder["file"]);
        Assert.Contains(folder["file"], Assert.Throws<MachineException>(() => store.Add([1], [2])).Message, StringComparison.Ordinal);
    }

    // Every fifth cell has none.
    private static ushort[] Positions(int cell) => [.. Enumerable.Range(0, cell % 5 == 0 ? 0 : 1 + (cell % 83)).Select(i => (ushort)((i * 6) + (cell % 6)))];

    private static float[] Values(int cell) => [.. Positions(cell).Select(position => (cell * 0.25f) + position)];
}
