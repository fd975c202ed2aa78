using System.Runtime.InteropServices;

namespace Canal.Data;

/// <summary>
/// Sparse features of cells on a gene panel: positions, ascending, and float32 values. Small sets lie in memory, large ones in a scratch file, read
/// cell by cell. Reading is safe from several threads; what a call returns holds until the same thread asks for another cell.
/// </summary>
public sealed class FeatureStore : IDisposable
{
    /// <summary>Memory that features may take before they go to a scratch file.</summary>
    public const long DefaultMemoryBytes = 16L << 20;

    // Two bytes a position, four a value.
    private const int EntryBytes = 6;

    // More than the largest cell's record: 65,535 entries.
    private const int BufferBytes = 1 << 19;

    private readonly List<long> offsets = [0];
    private readonly List<ushort> positions = [];
    private readonly List<float> values = [];
    private readonly long memoryBytes;
    private readonly string scratchFolder;
    private readonly ThreadLocal<Buffer> buffers = new(() => new Buffer());
    private FileStream? scratch;
    private int flushedCells;

    /// <summary>No cells yet.</summary>
    /// <param name="panelGenes">Number of genes of the panel.</param>
    /// <param name="memoryBytes">Memory that features may take.</param>
    /// <param name="scratchFolder">Folder for the scratch file; null for the system's temporary folder.</param>
    public FeatureStore(int panelGenes, long memoryBytes = DefaultMemoryBytes, string? scratchFolder = null) =>
        (PanelGenes, this.memoryBytes, this.scratchFolder) = (panelGenes, memoryBytes, scratchFolder ?? Path.GetTempPath());

    /// <summary>Number of genes of the panel.</summary>
    public int PanelGenes { get; }

    /// <summary>Number of cells.</summary>
    public int Cells => offsets.Count - 1;

    /// <summary>Whether everything lies in memory.</summary>
    public bool InMemory => scratch is null;

    /// <summary>Panel positions of a cell's features, ascending.</summary>
    public ReadOnlySpan<ushort> Positions(int cell) => cell >= flushedCells
        ? CollectionsMarshal.AsSpan(positions)[Own(cell)]
        : MemoryMarshal.Cast<byte, ushort>(Stored(cell)[..(2 * Count(cell))]);

    /// <summary>Their values.</summary>
    public ReadOnlySpan<float> Values(int cell) => cell >= flushedCells
        ? CollectionsMarshal.AsSpan(values)[Own(cell)]
        : MemoryMarshal.Cast<byte, float>(Stored(cell)[Padded(2 * Count(cell))..]);

    /// <summary>Adds a cell.</summary>
    /// <exception cref="MachineException">The scratch file cannot be written.</exception>
    public void Add(ReadOnlySpan<ushort> cellPositions, ReadOnlySpan<float> cellValues)
    {
        positions.AddRange(cellPositions);
        values.AddRange(cellValues);
        offsets.Add(offsets[^1] + cellPositions.Length);
        if (positions.Count * (long)EntryBytes > memoryBytes) Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        scratch?.Dispose();
        buffers.Dispose();
    }

    private int Count(int cell) => (int)(offsets[cell + 1] - offsets[cell]);

    private Range Own(int cell) => (int)(offsets[cell] - offsets[flushedCells])..(int)(offsets[cell + 1] - offsets[flushedCells]);

    // Values start on a multiple of their size.
    private static int Padded(int bytes) => (bytes + 3) & ~3;

    // A cell's record holds a word more than its entries, so that its place follows from its offset and its number alone.
    private long Place(int cell) => (EntryBytes * offsets[cell]) + (4L * cell);

    private ReadOnlySpan<byte> Stored(int cell) => buffers.Value!.Read(scratch!, cell, Place(cell), Padded(2 * Count(cell)) + (4 * Count(cell)));

    private void Flush()
    {
        try
        {
            scratch ??= ScratchFile.Open(scratchFolder, "features");
            var (buffer, filled) = (new byte[BufferBytes], 0);
            for (var cell = flushedCells; cell < Cells; cell++)
            {
                var (at, count) = (Own(cell), Count(cell));
                var length = (EntryBytes * count) + 4;
                if (filled + length > buffer.Length)
                {
                    scratch.Write(buffer, 0, filled);
                    filled = 0;
                }
                var record = buffer.AsSpan(filled, length);
                record.Clear();
                MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(positions)[at]).CopyTo(record);
                MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(values)[at]).CopyTo(record[Padded(2 * count)..]);
                filled += length;
            }
            scratch.Write(buffer, 0, filled);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"{scratchFolder}: the features cannot be kept there ({e.Message}); name a folder with room with --scratch.", e);
        }
        flushedCells = Cells;
        positions.Clear();
        values.Clear();
    }

    // The last cell that a thread read: its positions and its values are asked for one after the other.
    private sealed class Buffer
    {
        private byte[] record = [];
        private int held = -1;

        public ReadOnlySpan<byte> Read(FileStream file, int cell, long place, int bytes)
        {
            if (held == cell) return record.AsSpan(0, bytes);
            held = -1;
            if (record.Length < bytes) record = new byte[Math.Max(bytes, 2 * record.Length)];
            for (var done = 0; done < bytes;)
            {
                var read = RandomAccess.Read(file.SafeFileHandle, record.AsSpan(done, bytes - done), place + done);
                if (read == 0) throw new MachineException($"The scratch file {file.Name} ended early; is the disk full or the file gone?");
                done += read;
            }
            held = cell;
            return record.AsSpan(0, bytes);
        }
    }
}
