namespace Canal;

/// <summary>
/// A file for what does not fit in memory: it loses its name as soon as it is open, so that it is gone however the program ends. What a program that
/// was killed before that left in the folder goes with the next scratch file of the same purpose.
/// </summary>
internal static class ScratchFile
{
    /// <summary>Makes one, empty and open.</summary>
    /// <param name="folder">Where; created where it is missing.</param>
    /// <param name="purpose">What it is for: a word, part of the name that it has for a moment.</param>
    /// <param name="bytes">Space to reserve on the disk.</param>
    /// <exception cref="IOException">The folder or the file cannot be made, or the disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">Writing is not permitted there.</exception>
    public static FileStream Open(string folder, string purpose, long bytes = 0)
    {
        Directory.CreateDirectory(folder);
        var target = Path.Combine(Path.GetFullPath(folder), "canal-" + purpose);
        TemporaryNames.RemoveAbandoned(target);
        var path = TemporaryNames.Next(target);
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.DeleteOnClose | FileOptions.RandomAccess,
            PreallocationSize = bytes,
            BufferSize = 0,
        });
        // Where an open file keeps its name, closing deletes it.
        if (!OperatingSystem.IsWindows()) File.Delete(path);
        return file;
    }
}
