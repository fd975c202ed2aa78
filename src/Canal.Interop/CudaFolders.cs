namespace Canal.Interop;

/// <summary>The folders besides the loader path in which NVIDIA's libraries are found: CUDA installations, conda, and the wheels of Python packages.</summary>
/// <param name="variable">Reads an environment variable.</param>
/// <param name="root">The root of the file system.</param>
internal sealed class CudaFolders(Func<string, string?> variable, string root)
{
    private static readonly EnumerationOptions Quietly = new() { IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None };

    /// <summary>The folders of this machine.</summary>
    public static CudaFolders OfThisMachine { get; } = new(Environment.GetEnvironmentVariable, "/");

    /// <summary>The folders that exist, each once: those the environment names, the system's, then those of Python packages.</summary>
    public IReadOnlyList<string> Existing() => [.. Places().Where(Directory.Exists).Distinct(StringComparer.Ordinal)];

    private IEnumerable<string> Places()
    {
        string[] installations = [.. Named("CUDA_HOME"), .. Named("CUDA_PATH"), .. Below("usr/local", "cuda*"), .. Named("CONDA_PREFIX")];
        foreach (var installation in installations)
        {
            yield return Path.Combine(installation, "lib64");
            yield return Path.Combine(installation, "targets/x86_64-linux/lib");
            yield return Path.Combine(installation, "lib");
        }
        // Where the driver's library lies in containers and under WSL; only the driver is there.
        yield return Path.Combine(root, "usr/local/nvidia/lib64");
        yield return Path.Combine(root, "usr/lib/wsl/lib");
        foreach (var packages in PythonPackages())
        {
            foreach (var wheel in Directories(Path.Combine(packages, "nvidia"), "*")) yield return Path.Combine(wheel, "lib");
        }
    }

    /// <summary>The folders of Python packages below the usual prefixes, found without running Python.</summary>
    private IEnumerable<string> PythonPackages()
    {
        string[] prefixes =
        [
            .. Named("VIRTUAL_ENV"), .. Named("CONDA_PREFIX"), .. Named("HOME").Select(home => Path.Combine(home, ".local")),
            Path.Combine(root, "usr/local"), Path.Combine(root, "usr"), .. Below("opt", "*"),
        ];
        foreach (var library in prefixes.SelectMany(prefix => Directories(Path.Combine(prefix, "lib"), "python3*")))
        {
            yield return Path.Combine(library, "site-packages");
            yield return Path.Combine(library, "dist-packages");
        }
    }

    private IEnumerable<string> Named(string name) => variable(name) is { Length: > 0 } value && Path.IsPathRooted(value) ? [value] : [];

    private IEnumerable<string> Below(string parent, string pattern) => Directories(Path.Combine(root, parent), pattern);

    private static IEnumerable<string> Directories(string parent, string pattern) =>
        Directory.Exists(parent) ? Directory.EnumerateDirectories(parent, pattern, Quietly).OrderDescending(StringComparer.Ordinal) : [];
}
