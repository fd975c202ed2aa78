using System.Runtime.InteropServices;

namespace Canal.Interop.Nvrtc;

/// <summary>The NVRTC that was found.</summary>
/// <param name="Version">The compiler's version, such as 11.8.</param>
/// <param name="File">What was loaded.</param>
/// <param name="Architectures">Compute capabilities it makes code for, ascending, as two digits: 75 for 7.5.</param>
public sealed record NvrtcInformation(Version Version, string File, IReadOnlyList<int> Architectures);

/// <summary>libnvrtc: finding it, and what it can do.</summary>
public static unsafe class NvrtcLibrary
{
    /// <summary>The variable that names the library to use; when it is set, no other is tried.</summary>
    public const string EnvironmentVariable = "CANAL_NVRTC";

    // CUBIN output and nvrtcGetSupportedArchs came with 11.1 and 11.2, and the 11 series kept the name of 11.2.
    private static readonly Version Oldest = new(11, 2);
    private static readonly string[] Candidates = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"];
    private static readonly Lock Gate = new();
    private static NvrtcInformation? information;

    /// <summary>Loads NVRTC if need be and says which it is.</summary>
    /// <exception cref="NvrtcMissingException">There is none, or it is older than 11.2 or not whole; the message says where it was looked for and the cure.</exception>
    public static NvrtcInformation Probe()
    {
        lock (Gate) return information ??= Load(EnvironmentVariable, Candidates);
    }

    /// <summary>Loads the first candidate and asks it for its version.</summary>
    internal static NvrtcInformation Load(string environmentVariable, IReadOnlyList<string> candidates)
    {
        if (NativeLibraries.Load(NativeMethods.Library, environmentVariable, candidates, out var file) == 0)
        {
            throw new NvrtcMissingException(
                $"NVRTC, the run-time compiler of CUDA, was not found (tried {file}): install the CUDA toolkit or the Python package nvidia-cuda-nvrtc, or name the library in {EnvironmentVariable}");
        }
        try
        {
            Check(NativeMethods.nvrtcVersion(out var major, out var minor), "asking for the version");
            var version = new Version(major, minor);
            if (version < Oldest) throw new NvrtcMissingException($"{file} is NVRTC {version}, Canal needs {Oldest} or newer: install a newer CUDA toolkit or name another library in {EnvironmentVariable}");
            LoadBuiltinsBeside(file, version);
            Check(NativeMethods.nvrtcGetNumSupportedArchs(out var count), "asking for the architectures");
            var architectures = new int[count];
            fixed (int* first = architectures) Check(NativeMethods.nvrtcGetSupportedArchs(first), "asking for the architectures");
            Array.Sort(architectures);
            return new NvrtcInformation(version, file, architectures);
        }
        catch (EntryPointNotFoundException error)
        {
            throw new NvrtcMissingException($"{file} is no NVRTC of version {Oldest} or newer ({error.Message}): name another library in {EnvironmentVariable}");
        }
    }

    /// <summary>Throws where a call failed; for calls that have no program and so no log.</summary>
    internal static void Check(NvrtcStatus status, string attempt)
    {
        if (status != NvrtcStatus.Success) throw new NvrtcException($"NVRTC failed while {attempt}: {Describe(status)}.", [], "");
    }

    /// <summary>The library's own name of a status with its number.</summary>
    internal static string Describe(NvrtcStatus status) =>
        $"{Marshal.PtrToStringUTF8(NativeMethods.nvrtcGetErrorString(status)) ?? "unknown status"} ({(int)status})";

    // NVRTC opens its second library by bare name at the first compilation; where both lie in a folder that the loader does not search, it finds it only if it is loaded already.
    private static void LoadBuiltinsBeside(string file, Version version)
    {
        if (Path.GetDirectoryName(file) is not { Length: > 0 } folder) return;
        _ = NativeLibrary.TryLoad(Path.Combine(folder, $"libnvrtc-builtins.so.{version.Major}.{version.Minor}"), out _);
    }
}
