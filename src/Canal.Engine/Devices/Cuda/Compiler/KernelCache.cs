using System.Security.Cryptography;

namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>
/// Compiled programs on disk, one file each. A file appears whole or not at all, carries a checksum and its key, and may be removed at any time.
/// Where the folder cannot be used everything works without it, and that is said once.
/// </summary>
/// <param name="folder">The folder, made at the first write; null where the machine has no place for it.</param>
/// <param name="say">Takes one line for people.</param>
public sealed class KernelCache(string? folder, Action<string> say)
{
    // An entry that nothing read for so long belongs to an older version or another card.
    private static readonly TimeSpan Kept = TimeSpan.FromDays(90);
    private const int HashBytes = SHA256.HashSizeInBytes;
    private int said;

    /// <summary>canal/kernels in $XDG_CACHE_HOME, else in ~/.cache; null where neither variable names an absolute path.</summary>
    public static string? DefaultFolder(Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        if (variable("XDG_CACHE_HOME") is { Length: > 0 } caches && Path.IsPathRooted(caches)) return Path.Combine(caches, "canal", "kernels");
        return variable("HOME") is { Length: > 0 } home && Path.IsPathRooted(home) ? Path.Combine(home, ".cache", "canal", "kernels") : null;
    }

    /// <summary>The image kept under a key; null where there is none, or none that is whole.</summary>
    public KernelImage? Read(KernelCacheKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (folder is null) return null;
        var path = Path.Combine(folder, key.FileName);
        try
        {
            if (!File.Exists(path)) return null;
            var entry = File.ReadAllBytes(path);
            if (entry.Length < 2 * HashBytes || !SHA256.HashData(entry.AsSpan(HashBytes)).AsSpan().SequenceEqual(entry.AsSpan(0, HashBytes))) return null;
            if (!entry.AsSpan(HashBytes, HashBytes).SequenceEqual(key.Hash)) return null;
            var image = KernelImage.Unpack(entry[(2 * HashBytes)..]);
            Touch(path);
            return image;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            SayOnce(error);
            return null;
        }
    }

    /// <summary>Keeps an image, in place of what is there under the same key.</summary>
    public void Write(KernelCacheKey key, KernelImage image)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(image);
        if (folder is null)
        {
            SayOnce(null);
            return;
        }
        byte[] named = [.. key.Hash, .. image.Pack()];
        var temporary = Path.Combine(folder, $"{key.FileName}.{Guid.NewGuid():N}.new");
        try
        {
            CreateFolder(folder);
            File.WriteAllBytes(temporary, [.. SHA256.HashData(named), .. named]);
            File.Move(temporary, Path.Combine(folder, key.FileName), overwrite: true);
            RemoveForgotten(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Remove(temporary);
            SayOnce(error);
        }
    }

    private static void CreateFolder(string folder)
    {
        // Machine code is loaded from here: nobody else may write it.
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static void Touch(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A cache that may only be read serves as well; its entries age.
        }
    }

    private static void RemoveForgotten(string folder)
    {
        var oldest = DateTime.UtcNow - Kept;
        foreach (var path in Directory.EnumerateFiles(folder, "*.kernel*"))
        {
            if (File.GetLastWriteTimeUtc(path) < oldest) Remove(path);
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Another process may be reading or removing it; it is found again later.
        }
    }

    private void SayOnce(Exception? error)
    {
        if (Interlocked.Exchange(ref said, 1) != 0) return;
        say(error is null
            ? "Compiled kernels are not kept, every start compiles them again: neither XDG_CACHE_HOME nor HOME names a folder."
            : $"Compiled kernels cannot be kept in {folder}, every start compiles them again: {error.Message}");
    }
}
