using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>The three arrays of a compressed sparse matrix, read forwards through windows.</summary>
internal sealed class H5adSparseParts : IDisposable
{
    /// <summary>Entries a window: 2 MiB of indices and of values, a few dozen chunks of a usual file.</summary>
    private const int WindowEntries = 1 << 18;

    private readonly Hdf5Dataset pointers, indices, values;
    private readonly string location;
    private readonly bool booleans;
    private readonly long[] indexWindow;
    private readonly double[] valueWindow;
    private readonly sbyte[] truths;
    private long windowStart;
    private int windowLength;

    /// <param name="group">The matrix.</param>
    /// <param name="major">Length of the compressed dimension: cells in CSR, genes in CSC.</param>
    /// <param name="minor">Length of the other dimension.</param>
    public H5adSparseParts(Hdf5Group group, long major, long minor)
    {
        location = group.Location;
        Major = (int)major;
        Minor = (int)minor;
        pointers = group.OpenDataset("indptr");
        indices = group.OpenDataset("indices");
        values = group.OpenDataset("data");
        booleans = values.Type.Kind == Hdf5Kind.Boolean;
        if (pointers.Type.Kind != Hdf5Kind.Integer || indices.Type.Kind != Hdf5Kind.Integer) throw Damaged($"indptr and indices hold {pointers.Type} and {indices.Type}, not whole numbers");
        if (values.Type.Kind is not (Hdf5Kind.Integer or Hdf5Kind.Float or Hdf5Kind.Boolean)) throw Damaged($"data holds {values.Type}, not numbers");
        if (pointers.Count != major + 1) throw Damaged($"indptr has {pointers.Count} entries, not {major + 1}");
        if (indices.Count != values.Count) throw Damaged($"there are {indices.Count} indices but {values.Count} values");
        var window = (int)Math.Min(WindowEntries, values.Count);
        indexWindow = new long[window];
        valueWindow = new double[window];
        truths = new sbyte[booleans ? window : 0];
    }

    /// <summary>Length of the compressed dimension.</summary>
    public int Major { get; }

    /// <summary>Length of the other dimension.</summary>
    public int Minor { get; }

    /// <summary>Number of stored entries.</summary>
    public long Entries => values.Count;

    /// <summary>Reads pointers <paramref name="first"/> to <paramref name="first"/> + <paramref name="into"/>.Length and checks them: from 0, monotone, to the number of entries.</summary>
    public void ReadPointers(int first, Span<long> into)
    {
        pointers.Read(first, into);
        var previous = first == 0 ? 0 : into[0];
        if (into[0] != previous || previous < 0) throw Damaged($"indptr starts with {into[0]}");
        foreach (var pointer in into)
        {
            if (pointer < previous || pointer > Entries) throw Damaged($"indptr goes from {previous} to {pointer} with {Entries} entries");
            previous = pointer;
        }
        if (first + into.Length == Major + 1 && previous != Entries) throw Damaged($"indptr ends at {previous}, not at the {Entries} entries there are");
    }

    /// <summary>Entries from <paramref name="start"/> on, as many as lie in the window, at most up to <paramref name="end"/>.</summary>
    public void Window(long start, long end, out ReadOnlySpan<long> index, out ReadOnlySpan<double> value)
    {
        if (start < windowStart || start >= windowStart + windowLength) Fill(start);
        var from = (int)(start - windowStart);
        var length = (int)Math.Min(end - start, windowLength - from);
        index = indexWindow.AsSpan(from, length);
        value = valueWindow.AsSpan(from, length);
    }

    public void Dispose()
    {
        pointers.Dispose();
        indices.Dispose();
        values.Dispose();
    }

    private void Fill(long start)
    {
        windowLength = 0;
        var length = (int)Math.Min(indexWindow.Length, Entries - start);
        indices.Read(start, indexWindow.AsSpan(0, length));
        if (!booleans) values.Read(start, valueWindow.AsSpan(0, length));
        else
        {
            values.Read(start, truths.AsSpan(0, length));
            for (var entry = 0; entry < length; entry++) valueWindow[entry] = truths[entry];
        }
        windowStart = start;
        windowLength = length;
    }

    private Hdf5RefusedException Damaged(string what) => new($"{location}: {what}; the file is damaged, fetch or write it again");
}
