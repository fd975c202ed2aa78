using System.Text;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Cuda.Compiler;
using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>One <see cref="CompiledKernels"/> for all tests of compiled kernels, which run one after the other: NVRTC compiles one program at a time.</summary>
[CollectionDefinition(Name)]
public sealed class CompiledKernelTests : ICollectionFixture<CompiledKernels>
{
    public const string Name = "compiled kernels";
}

/// <summary>All kernel programs that the engine asks for, compiled once an architecture; unchanged ones come from the build folder.</summary>
public sealed class CompiledKernels
{
    // Nothing runs on a driver here.
    private static readonly Version NoDriver = new(0, 0);

    private readonly Dictionary<(int Architecture, CudaPrecision Precision), ScBertTour> tours = [];
    private readonly Dictionary<(string Program, KernelTarget Target), KernelImage> images = [];
    private readonly KernelCache cache = new(Path.Combine(AppContext.BaseDirectory, "compiled-kernels"), _ => { });

    /// <summary>The architecture of the PTX.</summary>
    internal const int PtxArchitecture = 90;

    // What 8.6 and 8.9 differ in from 8.0 shows at the sizes of scBERT; compiling the rest there, too, would take 40 seconds more.
    private static readonly int[] SmallArchitectures = [70, 75, 80, 90];

    internal static IReadOnlyList<int> Architectures { get; } = [.. Multiprocessor.All.Select(multiprocessor => multiprocessor.Architecture)];

    /// <summary>What runs on an architecture in a precision.</summary>
    internal ScBertTour Tour(int architecture, CudaPrecision precision)
    {
        if (!tours.TryGetValue((architecture, precision), out var tour))
        {
            var card = Card.All.FirstOrDefault(card => card.Architecture == architecture);
            tours.Add((architecture, precision), tour = new ScBertTour(architecture, precision, card?.Multiprocessors ?? Card.A100.Multiprocessors));
        }
        return tour;
    }

    /// <summary>Every launch of scBERT on an architecture: in every precision that it has.</summary>
    internal IEnumerable<KernelLaunch> Launches(int architecture) =>
        Precisions(architecture).SelectMany(precision => Tour(architecture, precision).All).SelectMany(run => run.Launches);

    private static IEnumerable<CudaPrecision> Precisions(int architecture) => CudaPrecision.All.Where(precision => precision.Fits(architecture));

    /// <summary>The programs of scBERT on an architecture, each once, by name.</summary>
    internal IReadOnlyList<KernelProgram> Programs(int architecture) => Distinct(KernelPrograms.General.Concat(Launches(architecture).Select(launch => launch.Program)));

    /// <summary>The programs of the small geometries that are not among these.</summary>
    internal static IReadOnlyList<KernelProgram> SmallPrograms(int architecture) => !SmallArchitectures.Contains(architecture) ? [] : Distinct(
        Precisions(architecture).SelectMany(precision => ScBertTour.OtherPrograms(architecture, precision)).Except(KernelPrograms.General));

    /// <summary>A program's machine code, with the resources of its kernels in the log.</summary>
    internal KernelImage Compile(KernelProgram program, int architecture)
    {
        var nvrtc = NvrtcForTests.Require();
        return Get(new KernelCompiler(nvrtc), program, architecture);
    }

    /// <summary>A program's PTX, as a device gets it that is newer than all that NVRTC knows.</summary>
    internal string Ptx(KernelProgram program)
    {
        var nvrtc = NvrtcForTests.Require();
        return Encoding.UTF8.GetString(Get(new KernelCompiler(nvrtc with { Architectures = [PtxArchitecture] }), program, PtxArchitecture + 1).Bytes);
    }

    private static List<KernelProgram> Distinct(IEnumerable<KernelProgram> programs) => [.. programs.DistinctBy(Identity).OrderBy(program => program.Name, StringComparer.Ordinal)];

    private static string Identity(KernelProgram program) => string.Join('|', [program.Name, .. program.Files, .. program.Defines]);

    private KernelImage Get(KernelCompiler compiler, KernelProgram program, int architecture)
    {
        var name = (Identity(program), compiler.TargetFor(architecture));
        if (images.TryGetValue(name, out var image)) return image;
        var key = compiler.Key(program, architecture, NoDriver, resources: true);
        image = cache.Read(key);
        if (image is null) cache.Write(key, image = compiler.Compile(program, architecture, resources: true));
        images.Add(name, image);
        return image;
    }
}
