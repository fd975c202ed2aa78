using System.Runtime.InteropServices;
using Canal.Engine.Devices.Cuda;

namespace Canal.Testing.Emulator;

/// <summary>The emulator's runtime library.</summary>
internal sealed unsafe class EmulatorLibrary
{
    private const int MessageCapacity = 4096;
    private readonly delegate* unmanaged<nint, uint*, uint*, uint, void**, int, NativeOptions*, byte*, int, int> launch;
    private readonly delegate* unmanaged<int, int, int, void*, int, void*, int, void*, int, int, int, int, int, int, int, void> multiply;

    private EmulatorLibrary(string file)
    {
        File = file;
        var handle = NativeLibrary.Load(file);
        launch = (delegate* unmanaged<nint, uint*, uint*, uint, void**, int, NativeOptions*, byte*, int, int>)NativeLibrary.GetExport(handle, "emulator_launch");
        multiply = (delegate* unmanaged<int, int, int, void*, int, void*, int, void*, int, int, int, int, int, int, int, void>)NativeLibrary.GetExport(handle, "emulator_multiply");
    }

    /// <summary>The library of this process, built and loaded at first use.</summary>
    public static Lazy<EmulatorLibrary> Instance { get; } = new(() => new EmulatorLibrary(EmulatorBuild.Runtime()));

    /// <summary>Its file, for linking.</summary>
    public string File { get; }

    /// <summary>Runs a kernel to its end.</summary>
    /// <exception cref="KernelDefectException">The kernel has a defect.</exception>
    public void Launch(nint kernel, in LaunchShape shape, ReadOnlySpan<ulong> values, EmulatorOptions options)
    {
        var arguments = stackalloc void*[KernelArguments.Capacity];
        var grid = stackalloc uint[3] { (uint)shape.GridX, (uint)shape.GridY, (uint)shape.GridZ };
        var block = stackalloc uint[3] { (uint)shape.BlockX, (uint)shape.BlockY, 1 };
        var native = new NativeOptions { Order = options.Order, PerturbExponentials = options.PerturbExponentials ? (byte)1 : (byte)0, TruncateProducts = options.TruncateProducts ? (byte)1 : (byte)0 };
        var message = stackalloc byte[MessageCapacity];
        fixed (ulong* bits = values)
        {
            for (var i = 0; i < values.Length; i++) arguments[i] = bits + i;
            if (launch(kernel, grid, block, (uint)shape.SharedBytes, arguments, options.Workers, &native, message, MessageCapacity) == 0) return;
        }
        throw new KernelDefectException(Marshal.PtrToStringUTF8((nint)message)!);
    }

    /// <summary>A matrix product.</summary>
    public void Multiply(in MatrixProduct p) => multiply(
        p.M, p.N, p.K, (void*)p.C, p.RowC, (void*)p.A, p.RowA, (void*)p.B, p.RowB,
        (int)p.Operands, (int)p.Result, p.TransposeA ? 1 : 0, p.TransposeB ? 1 : 0, p.Accumulate ? 1 : 0, p.Tf32 ? 1 : 0);

    [StructLayout(LayoutKind.Sequential)]
    private struct NativeOptions
    {
        public int Order;
        public byte PerturbExponentials;
        public byte TruncateProducts;
    }
}
