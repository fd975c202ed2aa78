using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Entry = Canal.Data.H5ad.H5adCscMatrix.Entry;

namespace Canal.Data.H5ad;

/// <summary>Entries dealt by cell into buckets of a scratch file that vanishes with the program.</summary>
internal sealed class ScratchBuckets : IDisposable
{
    private const int EntryBytes = 16;
    private const int SmallestBuffer = 64;
    private readonly string path;
    private readonly FileStream scratch;
    private readonly SafeFileHandle file;
    private readonly List<int> firstCells = [0]; // first cell of each bucket, then the number of cells
    private readonly List<long> offsets = [0]; // in entries
    private readonly int[] bucketOfCell;
    private readonly int largestBucket;
    private Entry[] buffers;
    private readonly int bufferLength;
    private readonly int[] filled;
    private readonly long[] written;

    private int current = -1;
    private Entry[] loaded = [];
    private int[] cellStarts = [];
    private int[] genes = [];
    private double[] values = [];

    /// <param name="folder">Where the scratch file goes.</param>
    /// <param name="counts">[cells] number of entries of each; reused to remember the buckets.</param>
    /// <param name="bucketEntries">Most entries of a bucket, unless a single cell has more.</param>
    /// <param name="bufferedEntries">Entries kept in memory while dealing, over all buckets.</param>
    public ScratchBuckets(string folder, int[] counts, int bucketEntries, int bufferedEntries)
    {
        long inBucket = 0, total = 0;
        for (var cell = 0; cell < counts.Length; cell++)
        {
            if (inBucket > 0 && inBucket + counts[cell] > bucketEntries)
            {
                firstCells.Add(cell);
                offsets.Add(total);
                inBucket = 0;
            }
            inBucket += counts[cell];
            total += counts[cell];
            counts[cell] = firstCells.Count - 1;
        }
        bucketOfCell = counts;
        var bucketCount = firstCells.Count;
        firstCells.Add(counts.Length);
        offsets.Add(total);
        for (var bucket = 0; bucket < bucketCount; bucket++) largestBucket = Math.Max(largestBucket, (int)(offsets[bucket + 1] - offsets[bucket]));
        bufferLength = Math.Max(SmallestBuffer, bufferedEntries / bucketCount);
        buffers = new Entry[(long)bufferLength * bucketCount];
        filled = new int[bucketCount];
        written = new long[bucketCount];
        try
        {
            scratch = ScratchFile.Open(folder, "buckets", total * EntryBytes);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Translate(error, folder);
        }
        (path, file) = (scratch.Name, scratch.SafeFileHandle);
    }

    /// <summary>Puts an entry into the bucket of its cell.</summary>
    public void Deal(int cell, int gene, double value)
    {
        var bucket = bucketOfCell[cell];
        buffers[(long)bucket * bufferLength + filled[bucket]] = new Entry(cell, gene, value);
        if (++filled[bucket] == bufferLength) Flush(bucket);
    }

    /// <summary>Writes out what is left.</summary>
    public void Finish()
    {
        for (var bucket = 0; bucket < filled.Length; bucket++) Flush(bucket);
        buffers = [];
    }

    /// <summary>The entries of a cell in the order they were dealt.</summary>
    public void ReadCell(int cell, out ReadOnlySpan<int> cellGenes, out ReadOnlySpan<double> cellValues)
    {
        if (bucketOfCell[cell] != current) Load(bucketOfCell[cell]);
        var row = cell - firstCells[current];
        var start = cellStarts[row];
        cellGenes = genes.AsSpan(start, cellStarts[row + 1] - start);
        cellValues = values.AsSpan(start, cellGenes.Length);
    }

    /// <summary>Closes the scratch file, which frees its space.</summary>
    public void Dispose() => scratch.Dispose();

    private void Flush(int bucket)
    {
        var part = buffers.AsSpan(bucket * bufferLength, filled[bucket]);
        try
        {
            RandomAccess.Write(file, MemoryMarshal.AsBytes(part), (offsets[bucket] + written[bucket]) * EntryBytes);
        }
        catch (IOException error)
        {
            throw AtomicFile.Translate(error, path);
        }
        written[bucket] += part.Length;
        filled[bucket] = 0;
    }

    private void Load(int bucket)
    {
        current = -1;
        var count = (int)(offsets[bucket + 1] - offsets[bucket]);
        var first = firstCells[bucket];
        var cells = firstCells[bucket + 1] - first;
        if (loaded.Length == 0)
        {
            loaded = new Entry[largestBucket];
            genes = new int[largestBucket];
            values = new double[largestBucket];
        }
        var bytes = MemoryMarshal.AsBytes(loaded.AsSpan(0, count));
        for (var done = 0; done < bytes.Length;)
        {
            var read = RandomAccess.Read(file, bytes[done..], offsets[bucket] * EntryBytes + done);
            if (read == 0) throw new MachineException($"{path}: the scratch file ended early; check the disk.");
            done += read;
        }
        cellStarts = new int[cells + 1];
        foreach (var entry in loaded.AsSpan(0, count)) cellStarts[entry.Cell - first + 1]++;
        for (var cell = 0; cell < cells; cell++) cellStarts[cell + 1] += cellStarts[cell];
        var next = cellStarts[..cells].ToArray();
        foreach (var entry in loaded.AsSpan(0, count))
        {
            var place = next[entry.Cell - first]++;
            genes[place] = entry.Gene;
            values[place] = entry.Value;
        }
        current = bucket;
    }
}
