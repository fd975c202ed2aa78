using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Canal.Engine.Devices.Cuda;

namespace Canal.Testing.Emulator;

/// <summary>Builds kernel programs for the emulator with g++, at first use, kept by a hash of everything that goes in.</summary>
internal static class EmulatorBuild
{
    private static readonly string Folder = Path.Combine(Path.GetTempPath(), "canal-emulator-" + Environment.UserName);
    private static readonly string Emulator = Path.Combine(Root(), "tests", "emulator");

    // Contraction off: the host would fuse where a plain implementation does not, and the bits would depend on the processor's instructions.
    private static readonly string[] Options =
        ["-O2", "-march=native", "-ffp-contract=off", "-std=c++17", "-fPIC", "-fno-strict-aliasing", "-w", "-DCANAL_EMULATOR"];

    /// <summary>Whether g++ can be started; without it tests of the emulated device are skipped.</summary>
    public static bool IsPossible { get; } = CanCompile();

    /// <summary>The shared library of a program, built if it is not there yet.</summary>
    public static string Library(KernelProgram program)
    {
        var text = new StringBuilder(string.Join(' ', Options)).Append(program.Source).AppendJoin(' ', program.Defines);
        foreach (var file in Directory.GetFiles(Emulator).Order(StringComparer.Ordinal)) text.Append(File.ReadAllText(file));
        foreach (var (name, source) in KernelSources.All.OrderBy(pair => pair.Key, StringComparer.Ordinal)) text.Append(name).Append(source);
        text.Append(Processor());
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..24];
        var library = Path.Combine(Folder, $"{program.Name}-{key}.so");
        if (File.Exists(library)) return library;

        var work = Path.Combine(Folder, $"{program.Name}-{key}-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(work);
        try
        {
            foreach (var (name, source) in KernelSources.All) File.WriteAllText(Path.Combine(work, name), source);
            var main = Path.Combine(work, program.Name + ".cpp");
            File.WriteAllText(main, program.Source);
            var built = Path.Combine(work, "built.so");
            Compile([.. Options, .. program.Defines.Select(define => "-D" + define), "-shared", "-I" + Emulator, "-I" + work, "-o", built,
                Path.Combine(Emulator, "emulator.cpp"), main, "-lpthread"]);
            File.Move(built, library, overwrite: true);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
        return library;
    }

    private static void Compile(string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("g++", arguments) { RedirectStandardError = true })!;
        var log = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new CudaKernelException($"g++ does not compile the kernels for the emulator:\n{log}");
    }

    private static bool CanCompile()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("g++", ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true });
            process!.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    // -march=native: a library of another processor may not run here.
    private static string Processor() => File.Exists("/proc/cpuinfo")
        ? string.Join('\n', File.ReadLines("/proc/cpuinfo").Where(line => line.StartsWith("model name", StringComparison.Ordinal) || line.StartsWith("flags", StringComparison.Ordinal)).Distinct())
        : "";

    private static string Root([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", ".."));
}
