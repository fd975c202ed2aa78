using Canal.Interop.Nvrtc;

namespace Canal.Testing;

/// <summary>NVRTC for tests: the library that CANAL_NVRTC names, else the one that <c>make setup</c> left in bin/nvrtc, else the machine's.</summary>
public static class NvrtcForTests
{
    private static readonly Lazy<(NvrtcInformation? Found, string Missing)> Library = new(Find);

    /// <summary>Which NVRTC there is; skips the test, with the reason, where there is none.</summary>
    public static NvrtcInformation Require()
    {
        Skip.If(Library.Value.Found is null, $"No NVRTC: {Library.Value.Missing}");
        return Library.Value.Found!;
    }

    /// <summary>Whether there is an NVRTC.</summary>
    public static bool IsThere => Library.Value.Found is not null;

    private static (NvrtcInformation? Found, string Missing) Find()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(NvrtcLibrary.EnvironmentVariable)) && Repository.Root is { } root)
        {
            var folder = Path.Combine(root, "bin", "nvrtc");
            var fetched = Directory.Exists(folder) ? Directory.GetFiles(folder, "libnvrtc.so.*").Order(StringComparer.Ordinal).FirstOrDefault() : null;
            if (fetched is not null) Environment.SetEnvironmentVariable(NvrtcLibrary.EnvironmentVariable, fetched);
        }
        try
        {
            return (NvrtcLibrary.Probe(), "");
        }
        catch (NvrtcMissingException missing)
        {
            return (null, missing.Message);
        }
    }
}
