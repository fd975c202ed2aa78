using System.Runtime.InteropServices;

namespace Canal.Interop.Nvrtc;

/// <summary>The NVRTC that was found.</summary>
/// <param name="Version">The compiler's version, such as 11.8.</param>
/// <param name="File">What was loaded.</param>
/// <param name="Architectures">Compute capabilities it makes code for, ascending, times ten: 75 for 7.5.</param>
public sealed record NvrtcInformation(Version Version, string File, IReadOnlyList<int> Architectures);

/// <summary>libnvrtc: finding it, and what it can do.</summary>
public static unsafe class NvrtcLibrary
{
    /// <summary>The variable that names the library to use; when it is set, no other is tried.</summary>
    public const string EnvironmentVariable = "CANAL_NVRTC";

    private const string Cure = $"install the CUDA toolkit or the Python package nvidia-cuda-nvrtc, or name a libnvrtc in {EnvironmentVariable}";

    private static readonly Lock Gate = new();
    private static NvrtcInformation? information;

    /// <summary>Loads NVRTC if need be and says which it is. The first call of a process decides.</summary>
    /// <param name="newestMajor">The newest CUDA major version that will do: the driver's, where what is compiled is to run on it.</param>
    /// <exception cref="NvrtcMissingException">There is none that will do; the message says where it was looked for and the cure.</exception>
    public static NvrtcInformation Probe(int newestMajor = int.MaxValue)
    {
        lock (Gate) return information ??= Use(CudaLibraries.Load(CudaLibrary.Nvrtc, newestMajor));
    }

    /// <summary>Lets imports find a library that was loaded, once it is known to be NVRTC.</summary>
    internal static NvrtcInformation Use(LoadedLibrary library)
    {
        if (library.Handle == 0) throw new NvrtcMissingException($"NVRTC, the run-time compiler of CUDA, was not found: {library.Problem}: {Cure}");
        // The newest of the functions that are used; it came with 11.2.
        if (!NativeLibrary.TryGetExport(library.Handle, nameof(NativeMethods.nvrtcGetNumSupportedArchs), out _))
        {
            throw new NvrtcMissingException($"{library.File} is no NVRTC, or one older than 11.2: {Cure}");
        }
        NativeLibraries.Use(NativeMethods.Library, library.Handle);
        Check(NativeMethods.nvrtcVersion(out var major, out var minor), "asking for the version");
        Check(NativeMethods.nvrtcGetNumSupportedArchs(out var count), "asking for the architectures");
        var architectures = new int[count];
        fixed (int* first = architectures) Check(NativeMethods.nvrtcGetSupportedArchs(first), "asking for the architectures");
        Array.Sort(architectures);
        return new NvrtcInformation(new Version(major, minor), library.File, architectures);
    }

    /// <summary>Throws where a call failed; for calls that have no program and so no log.</summary>
    internal static void Check(NvrtcStatus status, string attempt)
    {
        if (status != NvrtcStatus.Success) throw new NvrtcException($"NVRTC failed while {attempt}: {Describe(status)}.", [], "");
    }

    /// <summary>The library's own name of a status with its number.</summary>
    internal static string Describe(NvrtcStatus status) =>
        $"{Marshal.PtrToStringUTF8(NativeMethods.nvrtcGetErrorString(status)) ?? "unknown status"} ({(int)status})";
}
