using System.Collections.Frozen;
using System.Reflection;

namespace Canal.Engine.Devices.Cuda;

/// <summary>The text of the files in kernels/, as embedded in this assembly.</summary>
public static class KernelSources
{
    private const string Prefix = "kernels/";

    private static readonly FrozenDictionary<string, string> Texts = Read();

    /// <summary>All files by name.</summary>
    public static IReadOnlyDictionary<string, string> All => Texts;

    private static FrozenDictionary<string, string> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).ToFrozenDictionary(
            name => name[Prefix.Length..],
            name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                return reader.ReadToEnd();
            },
            StringComparer.Ordinal);
    }
}
