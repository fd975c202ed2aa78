using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Canal.Data;

/// <summary>Makes a <see cref="TokenStore"/>, cell by cell: in memory up to a limit, beyond it in a scratch file.</summary>
public sealed class TokenStoreWriter : IDisposable
{
    /// <summary>Memory that tokens may take before they go to a scratch file: reading a cell from there costs far less than computing with it.</summary>
    public const long DefaultMemoryBytes = 16L << 20;

    internal const int ChunkBytes = 1 << 20;

    private readonly int panelGenes;
    private readonly long memoryBytes;
    private readonly string scratchFolder;
    private readonly List<long> offsets = [];
    private readonly List<ushort> counts = [];
    private readonly List<byte[]> chunks = [];
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private FileStream? scratch;
    private long flushed;
    private int filled = ChunkBytes;

    /// <summary>No cells yet.</summary>
    /// <param name="panelGenes">Number of genes of the panel, at most 65,535.</param>
    /// <param name="memoryBytes">Memory that tokens may take.</param>
    /// <param name="scratchFolder">Folder for the scratch file; null for the system's temporary folder.</param>
    public TokenStoreWriter(int panelGenes, long memoryBytes = DefaultMemoryBytes, string? scratchFolder = null)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(panelGenes, GeneVocabulary.LargestCount);
        (this.panelGenes, this.memoryBytes, this.scratchFolder) = (panelGenes, memoryBytes, scratchFolder ?? Path.GetTempPath());
        hash.AppendData(BitConverter.GetBytes(panelGenes));
    }

    /// <summary>Adds a cell.</summary>
    /// <param name="positions">Panel positions, ascending.</param>
    /// <param name="bins">Bins, 1 to 5.</param>
    public void Add(ReadOnlySpan<ushort> positions, ReadOnlySpan<byte> bins)
    {
        if (positions.Length != bins.Length) throw new ArgumentException("A cell needs as many bins as positions.", nameof(bins));
        for (var i = 0; i < positions.Length; i++)
        {
            if (positions[i] >= panelGenes || (i > 0 && positions[i] <= positions[i - 1])) throw new ArgumentException($"Position {positions[i]} is out of order or beyond the panel of {panelGenes}.", nameof(positions));
        }
        var bytes = 3 * positions.Length;
        // A cell without tokens needs a chunk too: its record starts there.
        if (filled + Math.Max(1, bytes) > ChunkBytes) NextChunk();
        var record = chunks[^1].AsSpan(filled, bytes);
        MemoryMarshal.AsBytes(positions).CopyTo(record);
        bins.CopyTo(record[(2 * positions.Length)..]);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, positions.Length);
        hash.AppendData(length);
        hash.AppendData(record);
        offsets.Add((flushed + chunks.Count - 1) * ChunkBytes + filled);
        counts.Add((ushort)positions.Length);
        filled += bytes + (bytes & 1);
    }

    /// <summary>Ends writing and hands the cells over.</summary>
    public TokenStore Finish()
    {
        var checksum = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (scratch is null) return new TokenStore(panelGenes, [.. offsets], [.. counts], [.. chunks], checksum);
        Flush();
        var file = scratch;
        scratch = null;
        return new TokenStore(panelGenes, [.. offsets], [.. counts], file, checksum);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        scratch?.Dispose();
        hash.Dispose();
    }

    private void NextChunk()
    {
        byte[]? spare = null;
        if (chunks.Count > 0 && (scratch is not null || (chunks.Count + 1L) * ChunkBytes > memoryBytes))
        {
            spare = chunks[^1];
            Flush();
            Array.Clear(spare);
        }
        chunks.Add(spare ?? new byte[ChunkBytes]);
        filled = 0;
    }

    // Chunks are written whole, so that a cell's offset is the same in memory and in the file.
    private void Flush()
    {
        try
        {
            scratch ??= ScratchFile.Open(scratchFolder, "tokens");
            foreach (var chunk in chunks) scratch.Write(chunk);
            scratch.Flush();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"{scratchFolder}: the tokens cannot be kept there ({e.Message}); name a folder with room with --scratch.", e);
        }
        flushed += chunks.Count;
        chunks.Clear();
    }
}
