using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Canal.Interop.Cuda;

namespace Canal.Interop.Cublas;

/// <summary>cuBLAS of this machine: loaded, of a version that is supported. The one place where its statuses become exceptions.</summary>
public sealed unsafe class CublasLibrary
{
    /// <summary>The oldest version that will do: that of CUDA 11.8.</summary>
    public static readonly Version OldestVersion = new(11, 11);

    private const int FirstUnknownMajor = 14;
    private const string Install = "install cuBLAS of the driver's CUDA version (the CUDA toolkit, or the Python package nvidia-cublas-cu12 or nvidia-cublas), or name its file in CANAL_CUBLAS";

    internal readonly CublasFunctions Functions;

    private CublasLibrary(CublasFunctions functions, string file, Version version)
    {
        Functions = functions;
        File = file;
        Version = version;
    }

    /// <summary>The library it was loaded from.</summary>
    public string File { get; }

    /// <summary>Its version, such as 12.4.5.</summary>
    public Version Version { get; }

    /// <summary>Loads the cuBLAS that CANAL_CUBLAS names, or the newest of this machine that the driver can serve.</summary>
    /// <param name="newestMajor">The driver's CUDA major version: a newer cuBLAS loads and then refuses to start.</param>
    /// <exception cref="CudaException">There is none (<see cref="CudaProblem.CublasMissing"/>).</exception>
    public static CublasLibrary Load(int newestMajor = int.MaxValue) => Open(CudaLibraries.Load(CudaLibrary.Cublas, newestMajor));

    /// <summary>Loads one file.</summary>
    internal static CublasLibrary Load(string file) => Open(CudaLibraries.Load(CudaLibrary.Cublas, file, [], int.MaxValue));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Check(CublasStatus status, string call)
    {
        if (status != CublasStatus.Success) throw Error(status, call, CudaProblem.CallFailed, "");
    }

    /// <summary>The exception for a status.</summary>
    internal CudaException Error(CublasStatus status, string call, CudaProblem problem, string detail)
    {
        var words = Marshal.PtrToStringUTF8((nint)Functions.cublasGetStatusString(status)) ?? status.ToString();
        var what = $"{call}: {words} ({(int)status})";
        if (detail.Length > 0) what += $" ({detail})";
        var cure = status switch
        {
            CublasStatus.AllocationFailed => "use smaller batches, set a memory limit, or end other programs on this GPU (nvidia-smi lists them)",
            CublasStatus.NotInitialized => "see whether the driver is as new as this cuBLAS and device memory is free; otherwise name another cuBLAS in CANAL_CUBLAS",
            CublasStatus.ArchitectureMismatch or CublasStatus.NotSupported => "use another precision (fp32 runs on every GPU)",
            _ => "this is a defect of the program or of cuBLAS: report it with this line and the output of canal doctor",
        };
        return new CudaException(status == CublasStatus.AllocationFailed ? CudaProblem.OutOfMemory : problem, what, cure, (int)status);
    }

    private static CublasLibrary Open(LoadedLibrary library)
    {
        if (library.Handle == 0) throw new CudaException(CudaProblem.CublasMissing, $"cuBLAS was not found: {library.Problem}", Install);
        var exports = new NativeExports(library.Handle);
        var functions = new CublasFunctions(exports);
        if (exports.Missing.Count > 0) throw new CudaException(CudaProblem.CublasMissing, $"{library.File} is no cuBLAS of {OldestVersion} or newer: it lacks {string.Join(", ", exports.Missing)}", Install);
        // libraryPropertyType: MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL; answered without a device.
        Span<int> parts = stackalloc int[3];
        for (var i = 0; i < parts.Length; i++)
        {
            int part;
            var status = functions.cublasGetProperty(i, &part);
            if (status != CublasStatus.Success) throw new CudaException(CudaProblem.CublasMissing, $"{library.File} does not tell its version (status {(int)status})", Install);
            parts[i] = part;
        }
        var version = new Version(parts[0], parts[1], parts[2]);
        if (version < OldestVersion || version.Major >= FirstUnknownMajor)
        {
            throw new CudaException(CudaProblem.CublasMissing, $"{library.File} is cuBLAS {version}, Canal needs {OldestVersion} or newer, below {FirstUnknownMajor}", Install);
        }
        return new CublasLibrary(functions, library.File, version);
    }
}
