using Canal.Data;
using Canal.Testing;

namespace Canal.Tests.Data;

public sealed class TokenStoreTests
{
    private const int Panel = 2000;

    [Theory]
    [InlineData(TokenStoreWriter.DefaultMemoryBytes, true)]
    [InlineData(1, false)]
    public void CellsComeBackWhereverTheyLie(long memory, bool inMemory)
    {
        using var folder = new TemporaryFolder();
        // About 3 kB a cell: several chunks of 4 MiB, so that cells meet chunk borders.
        const int cells = 2500;
        using var writer = new TokenStoreWriter(Panel, memory, folder.Root);
        for (var cell = 0; cell < cells; cell++) writer.Add(Positions(cell), Bins(cell));
        using var store = writer.Finish();
        Assert.Equal(inMemory, store.InMemory);
        Assert.Equal((cells, Panel + 1), (store.Cells, store.Length));
        for (var cell = cells - 1; cell >= 0; cell -= 7)
        {
            Assert.True(store.Positions(cell).SequenceEqual(Positions(cell)), $"positions of cell {cell}");
            Assert.True(store.Bins(cell).SequenceEqual(Bins(cell)), $"bins of cell {cell}");
        }
        Assert.Equal(Enumerable.Range(0, cells).Sum(c => (long)Positions(c).Length), store.Entries);
    }

    [Fact]
    public void TheChecksumIsThatOfTheCells()
    {
        Assert.Equal(Checksum(8, TokenStoreWriter.DefaultMemoryBytes), Checksum(8, 1));
        Assert.NotEqual(Checksum(8, 1), Checksum(9, 1));

        static string Checksum(int cells, long memory)
        {
            using var folder = new TemporaryFolder();
            using var writer = new TokenStoreWriter(Panel, memory, folder.Root);
            for (var cell = 0; cell < cells; cell++) writer.Add(Positions(cell), Bins(cell));
            using var store = writer.Finish();
            return store.Checksum;
        }
    }

    [Fact]
    public void NoScratchFileIsLeftBehind()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new TokenStoreWriter(Panel, 1, folder.Root))
        {
            for (var cell = 0; cell < 2500; cell++) writer.Add(Positions(cell), Bins(cell));
            using var store = writer.Finish();
            Assert.False(store.InMemory);
        }
        Assert.Empty(Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void ABatchIsPackedAndACellExpanded()
    {
        using var writer = new TokenStoreWriter(4);
        writer.Add([1, 3], [2, 5]);
        writer.Add([], []);
        writer.Add([0], [1]);
        using var store = writer.Finish();
        int[] cells = [2, 0, 1, 0];
        var (offsets, positions, bins) = (new int[5], new ushort[store.EntryCount(cells)], new byte[store.EntryCount(cells)]);
        store.Gather(cells, offsets, positions, bins);
        Assert.Equal([0, 1, 3, 3, 5], offsets);
        Assert.Equal([0, 1, 3, 1, 3], positions.Select(p => (int)p));
        Assert.Equal([1, 2, 5, 2, 5], bins.Select(b => (int)b));
        var tokens = new byte[] { 9, 9, 9, 9, 9 };
        store.Expand(0, tokens);
        Assert.Equal([0, 2, 0, 5, 0], tokens.Select(t => (int)t));
    }

    [Theory]
    [InlineData(TokenStoreWriter.DefaultMemoryBytes)]
    [InlineData(1)]
    public void CellsWithoutTokens_StandAnywhere_AlsoFirstAndWhereAChunkIsFull(long memory)
    {
        using var folder = new TemporaryFolder();
        // 4 MiB = 64 records of 65,536 bytes: 21,845 tokens take 65,535 and one byte of padding.
        ushort[] positions = [.. Enumerable.Range(0, 21_845).Select(p => (ushort)p)];
        byte[] bins = [.. positions.Select(_ => (byte)1)];
        using var writer = new TokenStoreWriter(30_000, memory, folder.Root);
        writer.Add([], []);
        for (var cell = 0; cell < 64; cell++) writer.Add(positions, bins);
        writer.Add([], []);
        using var store = writer.Finish();
        Assert.Equal(66, store.Cells);
        foreach (var cell in (int[])[0, 65]) Assert.Equal((0, 0), (store.Positions(cell).Length, store.Bins(cell).Length));
        Assert.True(store.Positions(64).SequenceEqual(positions));
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(2, 2)]
    public void PositionsMustAscendWithinThePanel(int first, int second)
    {
        using var writer = new TokenStoreWriter(4);
        Assert.Throws<ArgumentException>(() => writer.Add([(ushort)first, (ushort)second], [1, 1]));
    }

    private static ushort[] Positions(int cell) => [.. Enumerable.Range(0, Panel).Where(p => p % 2 == 0 || (p * 31 + cell) % (3 + cell % 5) == 0).Select(p => (ushort)p)];

    private static byte[] Bins(int cell) => [.. Positions(cell).Select(p => (byte)(1 + (p + cell) % 5))];
}
