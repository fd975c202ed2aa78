using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Canal.Interop.Hdf5;

/// <summary>libhdf5: loading it, the one lock round it, its native types and its errors.</summary>
/// <remarks>
/// Debian's libhdf5 is not built thread-safe, so every call is made under one lock. Links out of a file and plug-in
/// filters are switched off for the whole process: files are untrusted.
/// </remarks>
public static unsafe class Hdf5Library
{
    private const string EnvironmentVariable = "CANAL_HDF5";
    private const int ExternalLinkClass = 64; // H5L_TYPE_EXTERNAL
    private static readonly string[] Candidates =
    [
        "libhdf5_serial.so.103", "libhdf5.so.103", "libhdf5_serial.so.310", "libhdf5.so.310", "libhdf5.so.320",
        "libhdf5.so.200", "libhdf5_serial.so.200", "libhdf5.so.101", "libhdf5_serial.so", "libhdf5.so", "libhdf5.dylib", "hdf5.dll",
    ];

    private static nint library;
    private static string file = "";
    private static Version version = new();
    [ThreadStatic] private static bool silenced;
    [ThreadStatic] private static List<string>? reasons;

    private static long calls;

    internal static readonly Lock Gate = new();

    /// <summary>Calls begun so far in this process. While it stays the same, the library has not come back: who watches it can tell a loop from work.</summary>
    public static long Calls => Volatile.Read(ref calls);

    /// <summary>Loads libhdf5 if need be and says which it is, for <c>canal doctor</c>.</summary>
    /// <exception cref="Hdf5MissingException">There is none, or it is older than 1.10.</exception>
    public static (Version Version, string File) Probe()
    {
        using (Enter()) return (version, file);
    }

    /// <summary>Takes the lock, loading the library the first time and silencing its error printing on each thread.</summary>
    internal static Lock.Scope Enter()
    {
        var scope = Gate.EnterScope();
        Volatile.Write(ref calls, calls + 1);
        try
        {
            if (library == 0) Load();
            if (!silenced)
            {
                _ = NativeMethods.H5Eset_auto2(0, 0, 0);
                silenced = true;
            }
        }
        catch
        {
            scope.Dispose();
            throw;
        }
        return scope;
    }

    /// <summary>Value of an exported identifier such as <c>H5T_NATIVE_INT_g</c>, valid once the library is open.</summary>
    internal static long Global(string name) => *(long*)NativeLibrary.GetExport(library, name);

    /// <summary>Whether this version of the library has a function.</summary>
    internal static bool Exports(string function) => NativeLibrary.TryGetExport(library, function, out _);

    internal static long NativeInt64 => Global("H5T_NATIVE_LLONG_g");
    internal static long NativeDouble => Global("H5T_NATIVE_DOUBLE_g");
    internal static long NativeFloat => Global("H5T_NATIVE_FLOAT_g");
    internal static long NativeInt32 => Global("H5T_NATIVE_INT_g");
    internal static long NativeInt16 => Global("H5T_NATIVE_SHORT_g");
    internal static long NativeInt8 => Global("H5T_NATIVE_SCHAR_g");

    /// <summary>The identifier of the memory type of <typeparamref name="T"/>.</summary>
    internal static long Native<T>() where T : unmanaged =>
        typeof(T) == typeof(double) ? NativeDouble
        : typeof(T) == typeof(float) ? NativeFloat
        : typeof(T) == typeof(long) ? NativeInt64
        : typeof(T) == typeof(int) ? NativeInt32
        : typeof(T) == typeof(short) ? NativeInt16
        : typeof(T) == typeof(sbyte) ? NativeInt8
        : throw new NotSupportedException($"HDF5 has no memory type for {typeof(T).Name} here.");

    /// <summary>Throws where a call failed.</summary>
    internal static void Check(int status, string attempt)
    {
        if (status < 0) throw Error(attempt);
    }

    /// <summary>The exception for the call that has just failed, with the reasons on the library's error stack.</summary>
    internal static Hdf5Exception Error(string attempt)
    {
        reasons = [];
        _ = NativeMethods.H5Ewalk2(0, 1, &Collect, null);
        _ = NativeMethods.H5Eclear2(0);
        var told = reasons.Count == 0 ? "no reason given" : string.Join(": ", reasons.Distinct().TakeLast(2));
        return new Hdf5Exception($"{attempt}: {told}", string.Join("; ", reasons));
    }

    [UnmanagedCallersOnly]
    private static int Collect(uint index, NativeMethods.ErrorEntry* entry, void* data)
    {
        // No exception may leave through the C frames; PtrToStringUTF8 of a valid entry throws none.
        reasons?.Add(Marshal.PtrToStringUTF8((nint)entry->Description) ?? "");
        return 0;
    }

    private static void Load()
    {
        RuntimeHelpers.RunClassConstructor(typeof(NativeLibraries).TypeHandle);
        var handle = NativeLibraries.Load(NativeMethods.Library, EnvironmentVariable, Candidates, out file);
        if (handle == 0) throw new Hdf5MissingException($"libhdf5 was not found (tried {file})");
        if (NativeMethods.H5open() < 0) throw new Hdf5MissingException($"{file} does not start (H5open failed)");
        if (NativeMethods.H5get_libversion(out var major, out var minor, out var release) < 0) throw new Hdf5MissingException($"{file} does not tell its version");
        version = new Version((int)major, (int)minor, (int)release);
        if (version < new Version(1, 10, 0)) throw new Hdf5MissingException($"{file} is HDF5 {version}, Canal needs 1.10 or newer");
        _ = NativeMethods.H5Eset_auto2(0, 0, 0);
        library = handle;
        // After this the library cannot follow a link into another file, nor load a filter from a plug-in folder.
        Check(NativeMethods.H5Lunregister(ExternalLinkClass), "switching off external links");
        Check(NativeMethods.H5PLset_loading_state(0), "switching off filter plug-ins");
    }
}
