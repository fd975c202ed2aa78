using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Canal.Interop;

/// <summary>Finds native libraries by probing and answers the runtime when a <c>[LibraryImport]</c> of this assembly names one. An assembly has one resolver: this.</summary>
internal static class NativeLibraries
{
    private static readonly ConcurrentDictionary<string, nint> Loaded = new(StringComparer.Ordinal);

    static NativeLibraries() => NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);

    /// <summary>Loads the first candidate there is and lets imports from <paramref name="name"/> find it.</summary>
    /// <param name="name">The name used in <c>[LibraryImport]</c>.</param>
    /// <param name="environmentVariable">A variable that names the library to load; when set, no other is tried.</param>
    /// <param name="candidates">File names or paths, best first.</param>
    /// <param name="file">The one that was loaded; otherwise all that were tried, joined by commas.</param>
    /// <returns>The library's handle, 0 where none was found.</returns>
    public static nint Load(string name, string environmentVariable, IReadOnlyList<string> candidates, out string file)
    {
        var named = Environment.GetEnvironmentVariable(environmentVariable);
        if (!string.IsNullOrEmpty(named)) candidates = [named];
        foreach (var candidate in candidates)
        {
            if (!NativeLibrary.TryLoad(candidate, out var handle)) continue;
            Loaded[name] = handle;
            file = candidate;
            return handle;
        }
        file = string.Join(", ", candidates);
        return 0;
    }

    /// <summary>Lets imports from <paramref name="name"/> find a library that was loaded elsewhere.</summary>
    public static void Use(string name, nint handle) => Loaded[name] = handle;

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) => Loaded.GetValueOrDefault(name);
}
