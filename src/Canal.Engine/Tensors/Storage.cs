namespace Canal.Engine.Tensors;

/// <summary>
/// Owner of one block of device memory, taken from the device's <see cref="MemoryPool"/>: the only thing that is freed.
/// Tensors are views into it. Disposing returns the block to the pool; the object itself is pooled as well, so that a
/// training step allocates nothing once it has run.
/// </summary>
public sealed class Storage : IDisposable
{
    private readonly MemoryPool pool;
    private bool rented;

    internal Storage(MemoryPool pool, nint pointer, nuint bytes)
    {
        this.pool = pool;
        Pointer = pointer;
        Bytes = bytes;
    }

    /// <summary>Address in the device's address space; 64-byte aligned. Zero on a device that only plans.</summary>
    public nint Pointer { get; }

    /// <summary>Size of the block in bytes, at least what was asked for.</summary>
    public nuint Bytes { get; }

    /// <summary>Whether the block is in use; a view into a returned block is a defect.</summary>
    public bool IsRented => rented;

    /// <summary>Whether the block was given back to where the pool has it from.</summary>
    internal bool IsGone { get; private set; }

    internal void MarkRented() => rented = true;

    internal void MarkGone() => IsGone = true;

    /// <summary>Returns the block to its pool. Returning it twice is an error.</summary>
    public void Dispose()
    {
        if (!rented)
        {
            throw new ObjectDisposedException(nameof(Storage), "This block of device memory was already returned to its pool.");
        }
        rented = false;
        pool.Return(this);
    }
}
