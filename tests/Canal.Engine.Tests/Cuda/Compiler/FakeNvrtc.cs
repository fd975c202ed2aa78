using System.Text;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Interop.Nvrtc;

namespace Canal.Engine.Tests.Cuda.Compiler;

/// <summary>A compiler whose image tells what it was given, and which counts its calls.</summary>
internal sealed class FakeNvrtc
{
    private int calls;

    public int Calls => calls;

    public Version Version { get; init; } = new(12, 4);

    public int[] Architectures { get; init; } = [70, 75, 80, 90];

    public Dictionary<string, string> Files { get; init; } = new()
    {
        ["a.cu"] = "#include \"common.cuh\"\n  # include \"tiles.cuh\"\nA",
        ["common.cuh"] = "#ifdef CANAL_EMULATOR\n#include \"emulator.h\"\n#endif\n",
        ["tiles.cuh"] = "#include \"common.cuh\"\nT",
        ["other.cu"] = "O",
    };

    public KernelCompiler Compiler() => new(new NvrtcInformation(Version, "libfake.so", Architectures), Files, Compile);

    public static KernelProgram Program(params string[] defines) => new("probe", ["a.cu"], defines);

    private NvrtcOutput Compile(NvrtcSource source, IReadOnlyList<string> options)
    {
        Interlocked.Increment(ref calls);
        if (source.Headers.Values.Any(text => text.Contains("WRONG", StringComparison.Ordinal))) throw new NvrtcException("a.cu does not compile.", options, "a.cu(3): error: WRONG");
        var told = string.Join('|', [source.Name, source.Text, .. source.Headers.Keys, .. options]);
        return new NvrtcOutput(Encoding.UTF8.GetBytes(told), "said");
    }
}
