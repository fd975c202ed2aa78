using Canal.Interop.Hdf5;

namespace Canal.Data.H5ad;

/// <summary>Turns what the HDF5 layer says into one line for the user: what, where, what to do.</summary>
internal static class H5adErrors
{
    /// <summary>Runs a piece of reading; failures name the file.</summary>
    public static T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Hdf5MissingException error)
        {
            throw Missing(error);
        }
        catch (Hdf5RefusedException error)
        {
            throw new UserException($"{path}: {error.Message}.", error);
        }
        catch (Hdf5Exception error)
        {
            throw Translate(path, error);
        }
        catch (OverflowException error)
        {
            throw new UserException($"{path}: sizes in this file are beyond all measure; it is damaged, fetch or write it again.", error);
        }
    }

    /// <inheritdoc cref="Reading{T}"/>
    public static void Reading(string path, Action read) => Reading(path, () =>
    {
        read();
        return true;
    });

    /// <summary>Runs a piece of writing; a full disk is the machine's fault.</summary>
    public static void Writing(string path, Action write)
    {
        try
        {
            write();
        }
        catch (Hdf5MissingException error)
        {
            throw Missing(error);
        }
        catch (Hdf5RefusedException error)
        {
            throw new UserException($"{path}: {error.Message}.", error);
        }
        catch (Hdf5Exception error) when (error.Detail.Contains("No space left", StringComparison.Ordinal))
        {
            throw new MachineException($"{path}: the disk is full; free some space or choose another output.", error);
        }
        catch (Hdf5Exception error)
        {
            throw new MachineException($"{path}: {error.Message}; check the disk.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Translate(error, path);
        }
    }

    /// <summary>Runs a piece of adding to a copy: what the system refuses is the machine's fault, all else that of the file that was copied.</summary>
    public static void Amending(string source, string target, Action write)
    {
        try
        {
            write();
        }
        catch (Hdf5Exception error) when (error.Detail.Contains("errno = ", StringComparison.Ordinal))
        {
            Writing(target, () => throw error);
        }
        catch (Exception error) when (error is Hdf5Exception or Hdf5RefusedException or OverflowException)
        {
            Reading(source, () => throw error);
        }
        catch (Exception error) when (error is Hdf5MissingException or IOException or UnauthorizedAccessException)
        {
            Writing(target, () => throw error);
        }
    }

    private static MachineException Missing(Hdf5MissingException error) =>
        new($"{error.Message}; install libhdf5 (Debian/Ubuntu: apt-get install libhdf5-103-1) or name it in the environment variable CANAL_HDF5.", error);

    private static UserException Translate(string path, Hdf5Exception error)
    {
        bool Says(string text) => error.Detail.Contains(text, StringComparison.Ordinal);
        var line = Says("signature not found") ? "is not an HDF5 file, so not an .h5ad; was it downloaded whole, or is it compressed (.gz)?"
            : Says("truncated file") ? "is cut off; fetch or write it again."
            : Says("unable to lock file") || Says("already open for write") ? "is being written by another program; try again when that is done, or run h5clear -s on it if the writer crashed."
            : $"{error.Message}; the file is damaged or incomplete, fetch or write it again.";
        return new UserException(line.StartsWith("is ", StringComparison.Ordinal) ? $"{path} {line}" : $"{path}: {line}", error);
    }
}
