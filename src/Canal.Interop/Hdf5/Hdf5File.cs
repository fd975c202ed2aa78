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
    /// <param name="path">The file.</param>
    /// <param name="shared">Whether others may know the file: then a lock is taken, and a file that is being written is refused.</param>
    /// <exception cref="Hdf5Exception">It is not HDF5, is damaged, or is being written.</exception>
    public static Hdf5File OpenRead(string path, bool shared = true)
    {
        using (Hdf5Library.Enter())
        {
            using var access = shared ? null : WithoutLock();
            return new Hdf5File(NativeMethods.H5Fopen(path, ReadOnlyFlag, access?.Id ?? 0), path, "opening the file");
        }
    }

    /// <summary>Opens a file for reading and writing. It must be known to nobody else: no lock is taken.</summary>
    /// <remarks>libhdf5 leaves its descriptors open in child processes, so a lock could outlast the file's closing here and make its next opening fail.</remarks>
    public static Hdf5File OpenWrite(string path)
    {
        using (Hdf5Library.Enter())
        {
            using var access = WithoutLock();
            return new Hdf5File(NativeMethods.H5Fopen(path, ReadWriteFlag, access.Id), path, "opening the file");
        }
    }

    /// <summary>Creates a file, emptying one of that name. It must be known to nobody else: no lock is taken.</summary>
    public static Hdf5File Create(string path)
    {
        using (Hdf5Library.Enter())
        {
            using var access = WithoutLock();
            return new Hdf5File(NativeMethods.H5Fcreate(path, TruncateFlag, 0, access.Id), path, "creating the file");
        }
    }

    private static Hdf5Handle WithoutLock()
    {
        var access = Hdf5Handle.Own(NativeMethods.H5Pcreate(Hdf5Library.Global("H5P_CLS_FILE_ACCESS_ID_g")), "file access");
        if (Hdf5Library.Exports("H5Pset_file_locking")) // since 1.10.7
            Hdf5Library.Check(NativeMethods.H5Pset_file_locking(access.Id, 0, 1), "file access");
        return access;
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
