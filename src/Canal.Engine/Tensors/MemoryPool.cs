namespace Canal.Engine.Tensors;

/// <summary>Where a pool's blocks come from: host memory, device memory, or nowhere (planning).</summary>
public interface IMemorySource
{
    /// <summary>Allocates <paramref name="bytes"/> bytes, 64-byte aligned; contents undefined.</summary>
    /// <exception cref="InsufficientMemoryException">The memory cannot be had.</exception>
    nint Allocate(nuint bytes);

    /// <summary>Frees a block that <see cref="Allocate"/> returned.</summary>
    void Free(nint pointer, nuint bytes);
}

/// <summary>A pool had no free block to give where it must not take a new one.</summary>
internal sealed class ColdPoolException(string message) : Exception(message);

/// <summary>
/// Device memory in size classes (eight to a power of two, so at most 12.5 % is lost), kept for reuse and counted
/// exactly. The same code runs over real memory and, in planning, over none, so a plan predicts the high-water mark.
/// Not thread-safe: a device is driven by one thread.
/// </summary>
public sealed class MemoryPool : IDisposable
{
    private const int MinimumBytes = 256;
    private readonly IMemorySource source;
    private readonly Dictionary<nuint, Stack<Storage>> free = [];
    private HashSet<Storage>? recording;

    /// <summary>A pool over <paramref name="source"/> that never holds more than <paramref name="limit"/> bytes.</summary>
    public MemoryPool(IMemorySource source, nuint? limit = null)
    {
        this.source = source;
        Limit = limit ?? nuint.MaxValue;
    }

    /// <summary>Most bytes the pool may hold, used and free together. May be set once a job's other needs are known, before it takes memory.</summary>
    public nuint Limit { get; set; }

    /// <summary>Bytes in use now.</summary>
    public nuint Used { get; private set; }

    /// <summary>Bytes held from the source, used and free.</summary>
    public nuint Held { get; private set; }

    /// <summary>Largest value of <see cref="Held"/> so far.</summary>
    public nuint HighWater { get; private set; }

    /// <summary>Number of blocks taken from the source so far: constant once a step is warm.</summary>
    public long SourceAllocations { get; private set; }

    /// <summary>The size class that serves a request: what <paramref name="bytes"/> really takes.</summary>
    public static nuint SizeClass(nuint bytes)
    {
        if (bytes <= MinimumBytes) return MinimumBytes;
        var power = 63 - System.Numerics.BitOperations.LeadingZeroCount(bytes - 1);
        var step = (nuint)1 << Math.Max(power - 3, 6);
        return (bytes + step - 1) / step * step;
    }

    /// <summary>A block of at least <paramref name="bytes"/> bytes, contents undefined.</summary>
    /// <exception cref="InsufficientMemoryException">The limit or the source does not allow it.</exception>
    public Storage Rent(nuint bytes)
    {
        var size = SizeClass(bytes);
        if (free.TryGetValue(size, out var blocks) && blocks.TryPop(out var storage))
        {
            Used += size;
            storage.MarkRented();
            recording?.Add(storage);
            return storage;
        }
        if (recording is not null) throw new ColdPoolException($"No free block of {size:N0} bytes is in the pool while a step is captured.");
        if (Held + size > Limit) Trim();
        if (Held + size > Limit)
        {
            throw new InsufficientMemoryException(
                $"Out of memory: {size:N0} bytes more were needed while {Used:N0} of at most {Limit:N0} bytes are in use. Raise --memory-limit or lower the batch size.");
        }
        var pointer = Allocate(size);
        SourceAllocations++;
        Held += size;
        HighWater = nuint.Max(HighWater, Held);
        Used += size;
        var created = new Storage(this, pointer, size);
        created.MarkRented();
        return created;
    }

    /// <summary>Gives all free blocks back to the source.</summary>
    public void Trim()
    {
        foreach (var (size, blocks) in free)
        {
            while (blocks.TryPop(out var storage))
            {
                source.Free(storage.Pointer, size);
                storage.MarkGone();
                Held -= size;
            }
        }
    }

    /// <summary>From now until <see cref="EndRecording"/> blocks come from the free ones alone, and those used are noted.</summary>
    /// <remarks>A <see cref="ColdPoolException"/> tells that one is missing.</remarks>
    internal void BeginRecording() => recording = [];

    /// <summary>Ends <see cref="BeginRecording"/>: the blocks that were rented meanwhile.</summary>
    internal IReadOnlyCollection<Storage> EndRecording()
    {
        var recorded = recording ?? throw new InvalidOperationException("Nothing is being recorded.");
        recording = null;
        return recorded;
    }

    internal void Return(Storage storage)
    {
        Used -= storage.Bytes;
        if (!free.TryGetValue(storage.Bytes, out var blocks)) free[storage.Bytes] = blocks = new Stack<Storage>();
        blocks.Push(storage);
    }

    /// <summary>Frees all unused blocks; blocks still rented are the caller's leak and are reported by <see cref="Used"/>.</summary>
    public void Dispose() => Trim();

    // The source can be exhausted below the limit: other programs share a card's memory, and it has a grain. Free blocks of other sizes go first.
    private nint Allocate(nuint size)
    {
        try
        {
            return source.Allocate(size);
        }
        catch (InsufficientMemoryException) when (Held > Used)
        {
            Trim();
            return source.Allocate(size);
        }
    }
}
