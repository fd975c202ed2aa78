namespace Canal.Testing;

/// <summary>The shared folder of fixtures and development data: the folder that CANAL_SHARED names, else ../shared beside the repository.</summary>
public static class SharedFiles
{
    /// <summary>The shared folder, or null where there is none.</summary>
    public static string? Root { get; } = FindRoot();

    /// <summary>Full path of a shared file; skips the test, with the reason, where it does not exist.</summary>
    public static string Require(params string[] parts)
    {
        Skip.If(Root is null, "No shared folder: set CANAL_SHARED, or put it beside the repository as ../shared.");
        var path = Path.Combine([Root!, .. parts]);
        Skip.IfNot(File.Exists(path) || Directory.Exists(path), $"{path} does not exist.");
        return path;
    }

    /// <summary>A golden fixture of safetensors form, such as <c>("preprocess", "preprocess")</c>; skips where it does not exist.</summary>
    public static GoldenTensors Golden(string folder, string name) =>
        GoldenTensors.Load(Require("golden", folder, name + ".safetensors"));

    private static string? FindRoot()
    {
        if (Environment.GetEnvironmentVariable("CANAL_SHARED") is { Length: > 0 } named) return Directory.Exists(named) ? named : null;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "Canal.sln"))) continue;
            var shared = Path.GetFullPath(Path.Combine(folder.FullName, "..", "shared"));
            return Directory.Exists(shared) ? shared : null;
        }
        return null;
    }
}
