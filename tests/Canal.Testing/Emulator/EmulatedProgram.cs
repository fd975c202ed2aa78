using System.Runtime.InteropServices;
using Canal.Engine.Devices.Cuda;

namespace Canal.Testing.Emulator;

/// <summary>A kernel of a loaded program.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kinds">Kinds of its arguments.</param>
/// <param name="Address">The emulator's record of it.</param>
internal sealed record EmulatedKernel(string Name, ArgumentKind[] Kinds, nint Address);

/// <summary>A kernel program, built and loaded at first use.</summary>
internal sealed unsafe class EmulatedProgram
{
    private static readonly Dictionary<(KernelProgram Program, bool IsChecked), EmulatedProgram> Loaded = [];
    private readonly Dictionary<string, EmulatedKernel> kernels = [];

    private EmulatedProgram(KernelProgram program, bool isChecked)
    {
        var handle = NativeLibrary.Load(EmulatorBuild.Program(program, EmulatorLibrary.Instance.Value.File, isChecked));
        var list = (delegate* unmanaged<int*, NativeKernel**>)NativeLibrary.GetExport(handle, "emulator_kernels");
        int count;
        var records = list(&count);
        for (var i = 0; i < count; i++)
        {
            var name = Marshal.PtrToStringUTF8(records[i]->Name)!;
            var kinds = new Span<ArgumentKind>(records[i]->Kinds, records[i]->Count).ToArray();
            if (!kernels.TryAdd(name, new EmulatedKernel(name, kinds, (nint)records[i]))) throw new CudaKernelException($"Program {program.Name} has two kernels of the name {name}.");
        }
    }

    /// <summary>The program's kernels, shared by all runtimes of the process.</summary>
    public static EmulatedProgram Of(KernelProgram program, bool isChecked = false)
    {
        lock (Loaded)
        {
            if (!Loaded.TryGetValue((program, isChecked), out var loaded)) Loaded.Add((program, isChecked), loaded = new EmulatedProgram(program, isChecked));
            return loaded;
        }
    }

    /// <summary>A kernel by name; null where there is none.</summary>
    public EmulatedKernel? Find(string kernel) => kernels.GetValueOrDefault(kernel);

    [StructLayout(LayoutKind.Sequential)]
    private struct NativeKernel
    {
        public nint Name;
        public nint Run;
        public int Count;
        public void* Kinds;
    }
}
