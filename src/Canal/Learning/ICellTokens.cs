using Canal.Data;

namespace Canal.Learning;

/// <summary>The non-zero tokens of a number of cells: a token store, an example bank, or both behind one another.</summary>
public interface ICellTokens
{
    /// <summary>Number of cells.</summary>
    int Count { get; }

    /// <summary>Number of non-zero tokens of a cell.</summary>
    int EntryCount(int cell);

    /// <summary>Copies a cell's non-zero tokens: panel positions, ascending, and bins. Both spans have <see cref="EntryCount"/> elements.</summary>
    void CopyTo(int cell, Span<ushort> positions, Span<byte> bins);
}

/// <summary>Several sources one behind the other.</summary>
internal sealed class ConcatenatedTokens : ICellTokens
{
    private readonly ICellTokens[] parts;
    private readonly int[] starts;

    public ConcatenatedTokens(params ICellTokens[] parts)
    {
        this.parts = parts;
        starts = new int[parts.Length + 1];
        for (var i = 0; i < parts.Length; i++) starts[i + 1] = starts[i] + parts[i].Count;
    }

    public int Count => starts[^1];

    public int EntryCount(int cell)
    {
        var part = PartOf(cell);
        return parts[part].EntryCount(cell - starts[part]);
    }

    public void CopyTo(int cell, Span<ushort> positions, Span<byte> bins)
    {
        var part = PartOf(cell);
        parts[part].CopyTo(cell - starts[part], positions, bins);
    }

    private int PartOf(int cell)
    {
        var part = 0;
        while (cell >= starts[part + 1]) part++;
        return part;
    }
}

/// <summary>The cells of an example bank.</summary>
internal sealed class BankTokens(IReadOnlyList<BankExample> examples) : ICellTokens
{
    public int Count => examples.Count;

    public int EntryCount(int cell) => examples[cell].Positions.Length;

    public void CopyTo(int cell, Span<ushort> positions, Span<byte> bins)
    {
        examples[cell].Positions.CopyTo(positions);
        examples[cell].Bins.CopyTo(bins);
    }
}

/// <summary>The cells of a token store.</summary>
internal sealed class StoredTokens(TokenStore store) : ICellTokens
{
    public int Count => store.Cells;

    public int EntryCount(int cell) => store.EntryCount(cell);

    public void CopyTo(int cell, Span<ushort> positions, Span<byte> bins)
    {
        store.Positions(cell).CopyTo(positions);
        store.Bins(cell).CopyTo(bins);
    }
}
