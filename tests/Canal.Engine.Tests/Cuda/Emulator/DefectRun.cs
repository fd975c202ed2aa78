using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Canal.Engine.Devices.Cuda;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>Runs kernels of tests/emulator/defects by themselves, over a little device memory.</summary>
internal sealed class DefectRun : IDisposable
{
    private static readonly string Folder = Path.Combine(SourceRoot(), "tests", "emulator", "defects");

    /// <summary>All planted defects in one program.</summary>
    public static readonly KernelProgram Program = new("defects", Files(), []);

    private readonly List<(nint Pointer, nuint Bytes)> memory = [];

    /// <summary>Over a runtime with these options; accesses are checked only where they say so, whatever is the rule elsewhere.</summary>
    public DefectRun(EmulatorOptions? options = null, bool isChecked = false) =>
        Runtime = new EmulatedRuntime((options ?? new EmulatorOptions()) with { Checks = isChecked });

    public EmulatedRuntime Runtime { get; }

    /// <summary>Device memory with the given values.</summary>
    public nint Upload<T>(params T[] values) where T : unmanaged
    {
        var pointer = Allocate<T>(values.Length);
        Runtime.CopyToDevice(pointer, MemoryMarshal.AsBytes<T>(values));
        return pointer;
    }

    /// <summary>Device memory that nothing was written to.</summary>
    public nint Allocate<T>(int count)
    {
        var bytes = (nuint)(count * Unsafe.SizeOf<T>());
        memory.Add((Runtime.Allocate(bytes), bytes));
        return memory[^1].Pointer;
    }

    public T[] Download<T>(nint from, int count) where T : unmanaged
    {
        var values = new T[count];
        Runtime.CopyToHost(MemoryMarshal.AsBytes(values.AsSpan()), from);
        return values;
    }

    public void Launch(string kernel, LaunchShape shape, in KernelArguments arguments) => Runtime.Launch(Runtime.Load(Program, kernel), shape, arguments);

    /// <summary>"file.cu:line" of the line that a kernel's text marks as its defect.</summary>
    public static string MarkedPlace(string kernel)
    {
        foreach (var file in Program.Files)
        {
            var lines = File.ReadAllLines(Path.Combine(Folder, file));
            var first = Array.FindIndex(lines, line => Regex.IsMatch(line, $@"\b{kernel}\("));
            if (first >= 0) return $"{file}:{Array.FindIndex(lines, first, line => line.EndsWith("// defect", StringComparison.Ordinal)) + 1}";
        }
        throw new ArgumentException($"No kernel {kernel} in {Folder}.", nameof(kernel));
    }

    public void Dispose()
    {
        foreach (var (pointer, bytes) in memory) Runtime.Free(pointer, bytes);
        Runtime.Dispose();
    }

    private static string[] Files() => Directory.Exists(Folder) ? [.. Directory.GetFiles(Folder, "*.cu").Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)] : [];

    private static string SourceRoot([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", "..", ".."));
}
