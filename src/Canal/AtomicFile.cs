namespace Canal;

/// <summary>
/// An output file that appears whole or not at all: it is written beside its target under another name, flushed to the
/// disk and renamed. Whatever ends the program before <see cref="Commit"/>, the target is as it was.
/// </summary>
/// <example><code>
/// using var output = new AtomicFile(path);
/// using (var stream = output.OpenWrite()) { ... }
/// output.Commit();
/// </code></example>
public sealed class AtomicFile : IDisposable
{
    private const int NoSpaceLeft = 28; // ENOSPC
    private bool finished;

    /// <summary>Reserves a name beside <paramref name="target"/> and creates an empty file there. What killed processes left of earlier attempts goes.</summary>
    /// <exception cref="UserException">The target's folder does not exist or may not be written, or the target is a folder.</exception>
    public AtomicFile(string target)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        Target = FollowLink(Path.GetFullPath(target));
        if (Directory.Exists(Target)) throw new UserException($"{target}: this is a folder; give the name of a file to write.");
        var folder = Path.GetDirectoryName(Target)!;
        if (!Directory.Exists(folder)) throw new UserException($"{target}: the folder {folder} does not exist; create it or choose another output.");
        TemporaryNames.RemoveAbandoned(Target);
        TemporaryPath = TemporaryNames.Next(Target);
        try
        {
            File.Open(TemporaryPath, FileMode.CreateNew, FileAccess.Write).Dispose();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Translate(error, target);
        }
    }

    /// <summary>Full path of the file that is to appear. A symbolic link was followed, so that the link survives.</summary>
    public string Target { get; }

    /// <summary>Where to write until <see cref="Commit"/>; the file exists and is empty.</summary>
    public string TemporaryPath { get; }

    /// <summary>Opens the temporary file as a stream. Dispose it before <see cref="Commit"/>.</summary>
    public FileStream OpenWrite() => new(TemporaryPath, FileMode.Create, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);

    /// <summary>Flushes the temporary file to the disk and renames it to the target, replacing what was there.</summary>
    /// <remarks>The bytes are on the disk before the name changes, so even a power failure leaves one of the two files whole.</remarks>
    /// <exception cref="MachineException">The disk is full or failed.</exception>
    public void Commit()
    {
        ObjectDisposedException.ThrowIf(finished, this);
        try
        {
            using (var handle = File.OpenHandle(TemporaryPath, FileMode.Open, FileAccess.ReadWrite)) RandomAccess.FlushToDisk(handle);
            File.Move(TemporaryPath, Target, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Translate(error, Target);
        }
        finished = true;
    }

    /// <summary>Removes the temporary file unless it was committed.</summary>
    public void Dispose()
    {
        if (finished) return;
        finished = true;
        try
        {
            File.Delete(TemporaryPath);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The failure that brought us here matters more than a leftover temporary file.
        }
    }

    /// <summary>Writes a file in one go through <paramref name="write"/>, atomically.</summary>
    /// <exception cref="MachineException">The disk is full or failed.</exception>
    public static void Write(string target, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        using var output = new AtomicFile(target);
        try
        {
            using var stream = output.OpenWrite();
            write(stream);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Translate(error, target);
        }
        output.Commit();
    }

    /// <summary>One line for a failed write: a full disk is the machine's fault, a missing permission the user's.</summary>
    public static Exception Translate(Exception error, string path)
    {
        ArgumentNullException.ThrowIfNull(error);
        return error switch
        {
            UnauthorizedAccessException => new UserException($"{path}: writing here is not permitted; choose another output or change the permissions.", error),
            IOException io when (io.HResult & 0xFFFF) == NoSpaceLeft => new MachineException($"{path}: the disk is full; free some space or choose another output.", error),
            _ => new MachineException($"{path}: writing failed ({error.Message.TrimEnd('.')}); check the disk.", error),
        };
    }

    private static string FollowLink(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException)
        {
            return path; // nothing there yet, or links in a circle: the rename says so
        }
    }
}
