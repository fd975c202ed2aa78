using System.Runtime.InteropServices;
using System.Text;
using Canal.Engine.Devices.Cuda;

namespace Canal.Testing.Emulator;

/// <summary>A loaded kernel program of the emulator.</summary>
internal sealed unsafe class EmulatorLibrary
{
    private readonly delegate* unmanaged<byte*, int*, byte**, int> find;
    private readonly delegate* unmanaged<byte*, uint, uint, uint, uint, uint, uint, uint, void**, int, int, int> launch;
    private readonly delegate* unmanaged<int, int, int, void*, int, void*, int, void*, int, int, int, int, int, int, void> multiply;

    public EmulatorLibrary(string file)
    {
        var handle = NativeLibrary.Load(file);
        find = (delegate* unmanaged<byte*, int*, byte**, int>)NativeLibrary.GetExport(handle, "emulator_kernel");
        launch = (delegate* unmanaged<byte*, uint, uint, uint, uint, uint, uint, uint, void**, int, int, int>)NativeLibrary.GetExport(handle, "emulator_launch");
        multiply = (delegate* unmanaged<int, int, int, void*, int, void*, int, void*, int, int, int, int, int, int, void>)NativeLibrary.GetExport(handle, "emulator_multiply");
    }

    /// <summary>The kinds of a kernel's arguments; null where there is no such kernel.</summary>
    public ArgumentKind[]? Find(string kernel)
    {
        int count;
        byte* kinds;
        fixed (byte* name = Encoding.ASCII.GetBytes(kernel + '\0'))
        {
            if (find(name, &count, &kinds) != 0) return null;
        }
        return [.. new Span<byte>(kinds, count).ToArray().Select(kind => (ArgumentKind)kind)];
    }

    /// <summary>Runs a kernel to its end; <paramref name="order"/> is that of the threads: 0 forward, 1 reverse, otherwise a seed.</summary>
    public void Launch(byte[] kernel, in LaunchShape shape, ReadOnlySpan<ulong> values, int workers, int order)
    {
        var arguments = stackalloc void*[KernelArguments.Capacity];
        fixed (ulong* bits = values)
        fixed (byte* name = kernel)
        {
            for (var i = 0; i < values.Length; i++) arguments[i] = bits + i;
            var status = launch(name, (uint)shape.GridX, (uint)shape.GridY, (uint)shape.GridZ, (uint)shape.BlockX, (uint)shape.BlockY, 1, (uint)shape.SharedBytes, arguments, workers, order);
            if (status != 0) throw new InvalidOperationException($"The emulator refuses {Encoding.ASCII.GetString(kernel).TrimEnd('\0')} with {shape}: status {status}.");
        }
    }

    public void Multiply(in MatrixProduct p) => multiply(
        p.M, p.N, p.K, (void*)p.C, p.RowC, (void*)p.A, p.RowA, (void*)p.B, p.RowB,
        (int)p.Operands, (int)p.Result, p.TransposeA ? 1 : 0, p.TransposeB ? 1 : 0, p.Accumulate ? 1 : 0);
}
