using System.Runtime.InteropServices;

namespace Canal.Data;

/// <summary>
/// Sparse tokens of many cells, made once, for random access by training batches: for each cell the panel positions of its expressed genes, ascending,
/// and their bins (1 to 5). Small sets lie in memory, large ones in a scratch file, read cell by cell so that they take none of the process's memory.
/// Reading is safe from several threads; what a call returns holds until the same thread asks for another cell.
/// </summary>
public sealed class TokenStore : IDisposable
{
    private readonly IReadOnlyList<byte[]>? chunks;
    private readonly FileStream? scratch;
    private readonly ThreadLocal<Buffer>? buffers;
    private readonly long[] offsets;
    private readonly ushort[] counts;
    private bool disposed;

    internal TokenStore(int panelGenes, long[] offsets, ushort[] counts, IReadOnlyList<byte[]> chunks, string checksum)
    {
        (PanelGenes, this.offsets, this.counts, this.chunks, Checksum) = (panelGenes, offsets, counts, chunks, checksum);
        Entries = counts.Sum(c => (long)c);
    }

    internal TokenStore(int panelGenes, long[] offsets, ushort[] counts, FileStream scratch, string checksum)
        : this(panelGenes, offsets, counts, [], checksum)
    {
        (chunks, this.scratch) = (null, scratch);
        var longest = counts.Length == 0 ? 0 : 3 * counts.Max();
        buffers = new ThreadLocal<Buffer>(() => new Buffer(longest));
    }

    /// <summary>Number of cells.</summary>
    public int Cells => offsets.Length;

    /// <summary>Number of genes of the panel.</summary>
    public int PanelGenes { get; }

    /// <summary>Tokens of a cell: the panel and one trailing token 0.</summary>
    public int Length => PanelGenes + 1;

    /// <summary>Stored tokens of all cells.</summary>
    public long Entries { get; }

    /// <summary>Whether everything lies in memory.</summary>
    public bool InMemory => chunks is not null;

    /// <summary>SHA-256 over panel size and all cells in order, lower-case hexadecimal: the same cells give the same checksum wherever they lie.</summary>
    public string Checksum { get; }

    /// <summary>Number of expressed panel genes of a cell.</summary>
    public int EntryCount(int cell) => counts[cell];

    /// <summary>Panel positions of a cell's expressed genes, ascending.</summary>
    public ReadOnlySpan<ushort> Positions(int cell) => MemoryMarshal.Cast<byte, ushort>(Record(cell)[..(2 * counts[cell])]);

    /// <summary>Bins of a cell's expressed genes, 1 to 5, in the order of <see cref="Positions"/>.</summary>
    public ReadOnlySpan<byte> Bins(int cell) => Record(cell)[(2 * counts[cell])..];

    /// <summary>Writes a cell as dense tokens.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="tokens">[<see cref="Length"/>], every element written; the last is the trailing 0.</param>
    public void Expand(int cell, Span<byte> tokens)
    {
        tokens[..Length].Clear();
        var positions = Positions(cell);
        var bins = Bins(cell);
        for (var i = 0; i < positions.Length; i++) tokens[positions[i]] = bins[i];
    }

    /// <summary>Tokens stored for a batch: how long <see cref="Gather"/>'s outputs must be.</summary>
    public int EntryCount(ReadOnlySpan<int> cells)
    {
        var entries = 0;
        foreach (var cell in cells) entries += counts[cell];
        return entries;
    }

    /// <summary>Packs a batch as <see cref="Engine.Operations.ExpandTokens"/> takes it.</summary>
    /// <param name="cells">Cells of the batch, in any order, repeats allowed.</param>
    /// <param name="batchOffsets">[cells + 1]: where each cell's entries start.</param>
    /// <param name="positions">At least <see cref="EntryCount(ReadOnlySpan{int})"/> elements.</param>
    /// <param name="bins">As many.</param>
    public void Gather(ReadOnlySpan<int> cells, Span<int> batchOffsets, Span<ushort> positions, Span<byte> bins)
    {
        var at = 0;
        for (var i = 0; i < cells.Length; i++)
        {
            batchOffsets[i] = at;
            Positions(cells[i]).CopyTo(positions[at..]);
            Bins(cells[i]).CopyTo(bins[at..]);
            at += counts[cells[i]];
        }
        batchOffsets[cells.Length] = at;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        scratch?.Dispose();
        buffers?.Dispose();
    }

    private ReadOnlySpan<byte> Record(int cell)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var (offset, bytes) = (offsets[cell], 3 * counts[cell]);
        return chunks is null ? buffers!.Value!.Read(scratch!, cell, offset, bytes)
            : chunks[(int)(offset / TokenStoreWriter.ChunkBytes)].AsSpan((int)(offset % TokenStoreWriter.ChunkBytes), bytes);
    }

    // The last cell that a thread read: its positions and its bins are asked for one after the other.
    private sealed class Buffer(int longest)
    {
        private readonly byte[] record = new byte[longest];
        private int held = -1;

        public ReadOnlySpan<byte> Read(FileStream file, int cell, long offset, int bytes)
        {
            if (held == cell) return record.AsSpan(0, bytes);
            held = -1;
            for (var done = 0; done < bytes;)
            {
                var read = RandomAccess.Read(file.SafeFileHandle, record.AsSpan(done, bytes - done), offset + done);
                if (read == 0) throw new MachineException($"The scratch file {file.Name} ended early; is the disk full or the file gone?");
                done += read;
            }
            held = cell;
            return record.AsSpan(0, bytes);
        }
    }
}
