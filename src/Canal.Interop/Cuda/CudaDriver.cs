using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Canal.Interop.Cuda;

/// <summary>The CUDA driver of this machine: loaded, initialised, new enough. Where contexts come from, and the one place where a status becomes an exception.</summary>
public sealed unsafe class CudaDriver
{
    /// <summary>The oldest driver that will do, as the CUDA version it serves: <c>cuDriverGetVersion</c> says 11080.</summary>
    public static readonly Version OldestVersion = new(11, 8);

    internal readonly DriverFunctions Functions;
    private long leaked;

    private CudaDriver(DriverFunctions functions, string file, Version version)
    {
        Functions = functions;
        File = file;
        Version = version;
    }

    /// <summary>The library it was loaded from.</summary>
    public string File { get; }

    /// <summary>The newest CUDA version that this driver serves, such as 12.4.</summary>
    public Version Version { get; }

    /// <summary>Handles that were left to the finaliser. Not 0 means that somewhere a Dispose is missing.</summary>
    public long LeakedHandles => Interlocked.Read(ref leaked);

    /// <summary>Loads the driver that CANAL_CUDA names or that the machine has.</summary>
    /// <exception cref="CudaException">There is none, it is a stub, it is too old, or it does not start.</exception>
    public static CudaDriver Load() => Open(CudaLibraries.Load(CudaLibrary.Driver));

    /// <summary>Loads one file.</summary>
    internal static CudaDriver Load(string file) => Open(CudaLibraries.Load(CudaLibrary.Driver, file, [], int.MaxValue));

    /// <summary>Number of devices that the driver shows, at least 1.</summary>
    /// <exception cref="CudaException">There is none.</exception>
    public int DeviceCount()
    {
        int count;
        Check(Functions.cuDeviceGetCount(&count), "cuDeviceGetCount");
        return count > 0 ? count : throw Error(CudaStatus.NoDevice, "cuDeviceGetCount");
    }

    /// <summary>What a device is. Old ones are described as well.</summary>
    /// <param name="ordinal">Its number, from 0.</param>
    /// <exception cref="CudaException">There is no such device.</exception>
    public CudaDevice Device(int ordinal) => CudaDevice.Describe(this, ordinal);

    /// <summary>Opens a device's primary context and makes it current on this thread.</summary>
    /// <param name="ordinal">Its number, from 0.</param>
    /// <exception cref="CudaException">There is no such device, or it is too old.</exception>
    public CudaContext OpenContext(int ordinal) => CudaContext.Open(this, Device(ordinal));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Check(CudaStatus status, string call)
    {
        if (status != CudaStatus.Success) throw Error(status, call);
    }

    /// <summary>The exception for a status.</summary>
    internal CudaException Error(CudaStatus status, string call, string detail = "", string log = "") => Error(Functions, status, call, detail, log);

    internal void CountLeak() => Interlocked.Increment(ref leaked);

    private static CudaDriver Open(LoadedLibrary library)
    {
        if (library.Handle == 0) throw new CudaException(CudaProblem.DriverMissing, $"the CUDA driver was not found: {library.Problem}", CudaErrors.InstallDriver);
        var exports = new NativeExports(library.Handle);
        var functions = new DriverFunctions(exports);
        if (functions.cuInit == null || functions.cuDriverGetVersion == null || functions.cuGetErrorName == null || functions.cuGetErrorString == null)
        {
            throw new CudaException(CudaProblem.DriverMissing, $"{library.File} is no CUDA driver: it lacks {string.Join(", ", exports.Missing)}", CudaErrors.InstallDriver);
        }
        // The version first: an old driver may also fail to start, and its age is what can be cured. A stub answers neither.
        int number;
        var (call, about) = ("cuDriverGetVersion", library.File);
        var status = functions.cuDriverGetVersion(&number);
        if (status == CudaStatus.Success && Number(number) is var told && told < OldestVersion)
        {
            throw new CudaException(CudaProblem.DriverTooOld, $"the NVIDIA driver ({library.File}) serves CUDA {told}, Canal needs {OldestVersion} or newer", CudaErrors.UpdateDriver);
        }
        if (status == CudaStatus.Success)
        {
            (call, about) = ("cuInit", $"{library.File}, CUDA {Number(number)}");
            status = functions.cuInit(0);
        }
        if (status != CudaStatus.Success) throw Error(functions, status, call, about, "");
        if (exports.Missing.Count > 0)
        {
            throw new CudaException(CudaProblem.DriverTooOld, $"the NVIDIA driver ({library.File}) lacks {string.Join(", ", exports.Missing)}", CudaErrors.UpdateDriver);
        }
        return new CudaDriver(functions, library.File, Number(number));
    }

    /// <summary>12040 is 12.4.</summary>
    private static Version Number(int number) => new(number / 1000, number % 1000 / 10);

    private static CudaException Error(DriverFunctions functions, CudaStatus status, string call, string detail, string log)
    {
        byte* name = null, meaning = null;
        // Both answer without a context, and leave null for a number they do not know; a stub knows none.
        _ = functions.cuGetErrorName(status, &name);
        _ = functions.cuGetErrorString(status, &meaning);
        return CudaErrors.Of(call, status, Marshal.PtrToStringUTF8((nint)name) ?? status.ToString(), Marshal.PtrToStringUTF8((nint)meaning) ?? "", detail, log);
    }
}
