using System.Text.RegularExpressions;
using Canal.Engine.Devices.Cuda;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>No kernel that nothing reaches: every file is in a program, every kernel is named where kernels are launched.</summary>
public sealed partial class KernelListTests
{
    [SkippableFact]
    public void EveryFileIsInAProgram()
    {
        var launchers = Launchers();
        var files = KernelSources.All.Keys.Where(name => name.EndsWith(".cu", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.Contains($"\"{file}\"", launchers, StringComparison.Ordinal));
    }

    // By its name, or by its stem where a macro makes an instance for each element type: EXPORT_KERNEL(add_##T).
    [SkippableFact]
    public void EveryKernelIsNamedByALauncher()
    {
        var launchers = Launchers();
        var stems = KernelSources.All.Where(pair => pair.Key.EndsWith(".cu", StringComparison.Ordinal))
            .SelectMany(pair => Exports().Matches(pair.Value)).Select(match => match.Groups[1].Value.TrimEnd('_')).ToArray();
        Assert.Contains("layer_norm_forward", stems);
        Assert.All(stems, stem => Assert.Matches($"\"{stem}(_f32|_f16|_bf16)?\"", launchers));
    }

    private static string Launchers()
    {
        Skip.If(Repository.Root is null, "the sources of the launchers are not there");
        var folder = Path.Combine(Repository.Root!, "src", "Canal.Engine", "Devices", "Cuda");
        return string.Concat(Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
    }

    [GeneratedRegex(@"EXPORT_KERNEL\((\w+)")]
    private static partial Regex Exports();
}
