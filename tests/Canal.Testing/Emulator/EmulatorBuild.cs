using Canal.Engine.Devices.Cuda;

namespace Canal.Testing.Emulator;

/// <summary>Compiles the emulator's runtime, and kernel programs against it: an object file a .cu file, so that a change rebuilds one.</summary>
internal static class EmulatorBuild
{
    // Contraction off: the host would fuse where a plain implementation does not, and the bits would depend on the processor's instructions.
    // Names of one program stay its own: programs hold instances of the same templates for different geometries.
    private static readonly string[] Options =
        ["-O2", "-g1", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-fno-strict-aliasing", "-I" + BuildCache.Sources];

    // Stack clash protection: a large frame must not step over the page that guards a fiber's stack.
    private static readonly string[] KernelOptions = ["-w", "-DCANAL_EMULATOR", "-fstack-clash-protection"];
    // A call before each access to memory, and before an index beyond an array. Structures are not taken apart: a load of a float4 is one load.
    private static readonly string[] CheckOptions =
        ["-g", "-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0", "-fsanitize=bounds", "-fno-tree-sra", "-fno-ipa-sra", "-fno-tree-vectorize"];

    private static readonly string[] ProductOptions = ["-O3", "-ffp-contract=fast"];
    private static readonly string Defects = Path.Combine(BuildCache.Sources, "defects");

    /// <summary>The runtime: fibers, launches, matrix products.</summary>
    public static string Runtime()
    {
        var sources = Directory.GetFiles(BuildCache.Sources, "*.cpp").Where(file => Path.GetFileName(file) != "program.cpp").Order(StringComparer.Ordinal).ToArray();
        string[] objects = [.. sources.AsParallel().AsOrdered().Select(file => Object(file, Path.GetFileName(file) == "multiply.cpp" ? ["-Wall", .. ProductOptions] : ["-Wall"]))];
        return BuildCache.File("runtime", ".so", objects, path => BuildCache.Compile(["-shared", "-Wl,-Bsymbolic", "-o", path, .. objects, "-lpthread"]));
    }

    /// <summary>A kernel program, linked with a runtime; made for checking where asked.</summary>
    public static string Program(KernelProgram program, string runtime, bool isChecked)
    {
        var headers = Sources().Where(pair => pair.Key.EndsWith(".cuh", StringComparison.Ordinal)).OrderBy(pair => pair.Key, StringComparer.Ordinal).ToArray();
        string[] options = [.. program.Defines.Select(define => "-D" + define), .. isChecked ? CheckOptions : []];
        string[] objects =
        [
            Object(Path.Combine(BuildCache.Sources, "program.cpp"), ["-Wall"]),
            .. program.Files.AsParallel().AsOrdered().Select(file => KernelObject(file, headers, options)),
        ];
        return BuildCache.File(program.Name, ".so", [.. objects, runtime],
            path => BuildCache.Compile(["-shared", "-Wl,-Bsymbolic", "-Wl,-z,defs", "-o", path, .. objects, runtime]));
    }

    private static string Object(string file, string[] options) =>
        BuildCache.File(Path.GetFileNameWithoutExtension(file), ".o", [.. Options, .. options, File.ReadAllText(file), .. Headers()],
            path => BuildCache.Compile([.. Options, .. options, "-c", "-o", path, file]));

    private static string KernelObject(string file, KeyValuePair<string, string>[] headers, string[] further)
    {
        var text = Sources()[file];
        string[] options = [.. Options, .. KernelOptions, .. further];
        return BuildCache.File(Path.GetFileNameWithoutExtension(file), ".o", [.. options, file, text, .. headers.SelectMany(pair => new[] { pair.Key, pair.Value }), .. Headers()], path =>
        {
            // The compiler's messages and the emulator's name the file as it is called in kernels/.
            var work = path + ".sources";
            Directory.CreateDirectory(work);
            try
            {
                foreach (var (name, source) in headers) File.WriteAllText(Path.Combine(work, name), source);
                File.WriteAllText(Path.Combine(work, file), text);
                BuildCache.Compile([.. options, "-I" + work, "-c", "-o", path, "-x", "c++", Path.Combine(work, file)]);
            }
            finally
            {
                Directory.Delete(work, recursive: true);
            }
        });
    }

    // The kernels as the assembly holds them, and the defects that tests plant.
    private static Dictionary<string, string> Sources()
    {
        var sources = KernelSources.All.ToDictionary();
        if (Directory.Exists(Defects))
        {
            foreach (var file in Directory.GetFiles(Defects, "*.cu")) sources.Add(Path.GetFileName(file), File.ReadAllText(file));
        }
        return sources;
    }

    private static IEnumerable<string> Headers() => Directory.GetFiles(BuildCache.Sources, "*.h").Order(StringComparer.Ordinal).Select(File.ReadAllText);
}
