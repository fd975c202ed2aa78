namespace Canal.Interop.Hdf5;

/// <summary>An HDF5 file. Objects opened from it stay valid until they are disposed themselves.</summary>
public sealed class Hdf5File : IDisposable
{
    private const uint ReadOnlyFlag = 0, ReadWriteFlag = 1, TruncateFlag = 2;
    private readonly Hdf5Handle handle;

    private Hdf5File(long id, string path, string attempt)
    {
        handle = Hdf5Handle.Own(id, attempt);
        Path = path;
        Root = new Hdf5Group(this, Hdf5Handle.Own(NativeMethods.H5Oopen(id, "/", 0), attempt), "/");
    }

    /// <summary>Path as given.</summary>
    public string Path { get; }

    /// <summary>The root group.</summary>
    public Hdf5Group Root { get; }

    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="Hdf5Exception">It is not HDF5, is damaged, or is being written.</exception>
    public static Hdf5File OpenRead(string path)
    {
        using (Hdf5Library.Enter()) return new Hdf5File(NativeMethods.H5Fopen(path, ReadOnlyFlag, 0), path, "opening the file");
    }

    /// <summary>Opens a file for reading and writing.</summary>
    public static Hdf5File OpenWrite(string path)
    {
        using (Hdf5Library.Enter()) return new Hdf5File(NativeMethods.H5Fopen(path, ReadWriteFlag, 0), path, "opening the file");
    }

    /// <summary>Creates a file, emptying one of that name.</summary>
    public static Hdf5File Create(string path)
    {
        using (Hdf5Library.Enter()) return new Hdf5File(NativeMethods.H5Fcreate(path, TruncateFlag, 0, 0), path, "creating the file");
    }

    /// <summary>Writes all buffers out, so that a full disk is noticed here and not while closing.</summary>
    public void Flush()
    {
        using (Hdf5Library.Enter()) Hdf5Library.Check(NativeMethods.H5Fflush(handle.Id, 1), "writing the file");
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        Root.Dispose();
        handle.Dispose();
    }
}
