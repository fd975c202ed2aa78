using System.Runtime.InteropServices;

namespace Canal.Interop;

/// <summary>A library that was loaded, or why there is none.</summary>
/// <param name="Handle">The library's handle, 0 where none was loaded.</param>
/// <param name="File">The file it was loaded from.</param>
/// <param name="Problem">What was looked for and what came of it, in one line; empty where one was loaded.</param>
internal readonly record struct LoadedLibrary(nint Handle, string File, string Problem);

/// <summary>Loads the CUDA driver, cuBLAS and NVRTC: the newest on the loader path, in CUDA folders or in Python wheels.</summary>
internal static class CudaLibraries
{
    /// <summary>Loads the newest that this machine has, or the file that the library's environment variable names.</summary>
    /// <param name="library">Which.</param>
    /// <param name="newestMajor">The newest CUDA major version that will do: the driver's, for what runs on top of it. A file named by the variable is not held to it.</param>
    public static LoadedLibrary Load(CudaLibrary library, int newestMajor = int.MaxValue) =>
        Load(library, Environment.GetEnvironmentVariable(library.EnvironmentVariable), CudaFolders.OfThisMachine.Existing(), newestMajor);

    /// <summary>The same, with everything it depends on given.</summary>
    /// <param name="library">Which.</param>
    /// <param name="named">A file to load and no other; null or empty to search.</param>
    /// <param name="folders">Where to search, after the loader path.</param>
    /// <param name="newestMajor">The newest CUDA major version that will do.</param>
    internal static LoadedLibrary Load(CudaLibrary library, string? named, IReadOnlyList<string> folders, int newestMajor)
    {
        if (!string.IsNullOrEmpty(named))
        {
            var chosen = Open(library, named, out var reason);
            return chosen != 0 ? new(chosen, named, "") : new(0, "", $"{library.EnvironmentVariable} names {named}, which does not load: {reason}");
        }
        var versions = library.Versions.Where(version => CudaLibrary.Major(version) <= newestMajor).ToArray();
        var broken = "";
        foreach (var version in versions)
        {
            var name = library.FileName(version);
            if (NativeLibrary.TryLoad(name, out var handle)) return new(handle, MappedFile(library.BaseName, name), "");
            foreach (var path in folders.Select(folder => Path.Combine(folder, name)).Where(File.Exists))
            {
                handle = Open(library, path, out var reason);
                if (handle != 0) return new(handle, path, "");
                if (broken.Length == 0) broken = $"; {path} does not load: {reason}";
            }
        }
        var tried = string.Join(", ", versions.Select(library.FileName));
        return new(0, "", $"{tried} not found on the loader path nor in CUDA and Python folders ({folders.Count} searched){broken}");
    }

    private static nint Open(CudaLibrary library, string path, out string reason)
    {
        if (library.CompanionFirst) LoadCompanions(library, path);
        var handle = TryOpen(path, out reason);
        if (handle != 0 || library.CompanionFirst) return handle;
        LoadCompanions(library, path);
        return TryOpen(path, out reason);
    }

    /// <summary>Puts the companions that lie beside a library into the process, where the loader then finds them by their sonames. Several versions do not harm: each is found by its own.</summary>
    private static void LoadCompanions(CudaLibrary library, string path)
    {
        var folder = Path.GetDirectoryName(path);
        if (library.Companion.Length == 0 || string.IsNullOrEmpty(folder) || !Directory.Exists(folder)) return;
        foreach (var companion in Directory.EnumerateFiles(folder, library.Companion + ".*")) _ = NativeLibrary.TryLoad(companion, out _);
    }

    private static nint TryOpen(string path, out string reason)
    {
        reason = "";
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (Exception refused) when (refused is DllNotFoundException or BadImageFormatException)
        {
            // The runtime wraps the loader's own words, one line for each name it tried, in several lines of advice.
            reason = refused.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault(line => line.StartsWith(path, StringComparison.Ordinal)) ?? "no reason given";
            if (reason.StartsWith(path + ": ", StringComparison.Ordinal)) reason = reason[(path.Length + 2)..];
            return 0;
        }
    }

    /// <summary>The path from which the loader took a library known by its name; the name itself where the system does not tell. The driver's file is <c>libcuda.so.535.261.03</c>, so only the base name is sure.</summary>
    private static string MappedFile(string baseName, string name)
    {
        try
        {
            foreach (var line in File.ReadLines("/proc/self/maps"))
            {
                var start = line.IndexOf('/', StringComparison.Ordinal);
                if (start >= 0 && Path.GetFileName(line.AsSpan(start)).StartsWith(baseName, StringComparison.Ordinal)) return line[start..];
            }
        }
        catch (Exception hidden) when (hidden is IOException or UnauthorizedAccessException)
        {
            return name;
        }
        return name;
    }
}
