using System.Runtime.InteropServices;
using Canal.Engine.Devices.Cuda;

namespace Canal.Testing.Emulator;

/// <summary>The emulator's runtime library.</summary>
internal sealed unsafe class EmulatorLibrary
{
    private const int MessageCapacity = 4096;
    private readonly delegate* unmanaged<nint, uint*, uint*, uint, ulong*, int, NativeOptions*, AccessCounts*, byte*, int, int> launch;
    private readonly delegate* unmanaged<nint, nuint, void> allocated, forbid;
    private readonly delegate* unmanaged<nint, void> freed, allow;
    private readonly delegate* unmanaged<int, int, int, void*, int, void*, int, void*, int, int, int, int, int, int, int, void> multiply;

    private EmulatorLibrary(string file)
    {
        File = file;
        var handle = NativeLibrary.Load(file);
        launch = (delegate* unmanaged<nint, uint*, uint*, uint, ulong*, int, NativeOptions*, AccessCounts*, byte*, int, int>)NativeLibrary.GetExport(handle, "emulator_launch");
        multiply = (delegate* unmanaged<int, int, int, void*, int, void*, int, void*, int, int, int, int, int, int, int, void>)NativeLibrary.GetExport(handle, "emulator_multiply");
        allocated = (delegate* unmanaged<nint, nuint, void>)NativeLibrary.GetExport(handle, "emulator_allocated");
        freed = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(handle, "emulator_freed");
        forbid = (delegate* unmanaged<nint, nuint, void>)NativeLibrary.GetExport(handle, "emulator_forbid");
        allow = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(handle, "emulator_allow");
    }

    /// <summary>The library of this process, built and loaded at first use.</summary>
    public static Lazy<EmulatorLibrary> Instance { get; } = new(() => new EmulatorLibrary(EmulatorBuild.Runtime()));

    /// <summary>Its file, for linking.</summary>
    public string File { get; }

    /// <summary>Runs a kernel to its end; what its loads and stores cost, where that is counted.</summary>
    /// <exception cref="KernelDefectException">The kernel has a defect.</exception>
    public AccessCounts Launch(nint kernel, in LaunchShape shape, ReadOnlySpan<ulong> values, EmulatorOptions options)
    {
        var grid = stackalloc uint[3] { (uint)shape.GridX, (uint)shape.GridY, (uint)shape.GridZ };
        var block = stackalloc uint[3] { (uint)shape.BlockX, (uint)shape.BlockY, 1 };
        var native = new NativeOptions(options);
        var counts = default(AccessCounts);
        var message = stackalloc byte[MessageCapacity];
        fixed (ulong* bits = values)
        {
            if (launch(kernel, grid, block, (uint)shape.SharedBytes, bits, options.Workers, &native, options.Counts ? &counts : null, message, MessageCapacity) == 0) return counts;
        }
        throw new KernelDefectException(Marshal.PtrToStringUTF8((nint)message)!);
    }

    /// <summary>Tells the checks of memory that kernels may touch.</summary>
    public void Allocated(nint pointer, nuint bytes) => allocated(pointer, bytes);

    /// <summary>Tells the checks that memory is gone.</summary>
    public void Freed(nint pointer) => freed(pointer);

    /// <summary>Tells the checks of bytes inside of such memory that kernels may not touch.</summary>
    public void Forbid(nint pointer, nuint bytes) => forbid(pointer, bytes);

    /// <summary>Takes back what was said of the bytes that begin there.</summary>
    public void Allow(nint pointer) => allow(pointer);

    /// <summary>A matrix product.</summary>
    public void Multiply(in MatrixProduct p) => multiply(
        p.M, p.N, p.K, (void*)p.C, p.RowC, (void*)p.A, p.RowA, (void*)p.B, p.RowB,
        (int)p.Operands, (int)p.Result, p.TransposeA ? 1 : 0, p.TransposeB ? 1 : 0, p.Accumulate ? 1 : 0, p.Tf32 ? 1 : 0);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct NativeOptions(EmulatorOptions options)
    {
        private readonly int order = options.Order;
        private readonly byte perturbsExponentials = Bit(options.PerturbExponentials);
        private readonly byte truncatesProducts = Bit(options.TruncateProducts);
        private readonly byte checks = Bit(options.Checks || options.Counts);

        private static byte Bit(bool value) => value ? (byte)1 : (byte)0;
    }
}
