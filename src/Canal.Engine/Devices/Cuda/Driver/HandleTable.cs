namespace Canal.Engine.Devices.Cuda.Driver;

/// <summary>Owned objects by small numbers; a number is used again once its object was removed.</summary>
internal sealed class HandleTable<T> : IDisposable where T : class, IDisposable
{
    private readonly List<T?> entries = [];
    private readonly Stack<int> free = [];

    /// <summary>The object of a number.</summary>
    public T this[nint number] => entries[(int)number] ?? throw new ObjectDisposedException(typeof(T).Name);

    /// <summary>Takes an object and gives it a number.</summary>
    public nint Add(T entry)
    {
        if (free.TryPop(out var number))
        {
            entries[number] = entry;
            return number;
        }
        entries.Add(entry);
        return entries.Count - 1;
    }

    /// <summary>Gives an object back to the caller, who disposes it.</summary>
    public T Remove(nint number)
    {
        var entry = this[number];
        entries[(int)number] = null;
        free.Push((int)number);
        return entry;
    }

    /// <summary>Disposes what is left.</summary>
    public void Dispose()
    {
        foreach (var entry in entries) entry?.Dispose();
        entries.Clear();
    }
}
