using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Canal.Engine.Devices.Cuda;

namespace Canal.Testing.Emulator;

/// <summary>
/// What g++ made for the emulator, each file named by a hash of all that went into it, so that test processes share it and a change
/// rebuilds what it touches. Files that nobody used for hours are removed.
/// </summary>
internal static class BuildCache
{
    private static readonly TimeSpan KeptUnused = TimeSpan.FromHours(2);
    private static readonly string Root = SourceRoot();

    /// <summary>tests/emulator of the checkout that these tests were built in.</summary>
    public static string Sources { get; } = Path.Combine(Root, "tests", "emulator");

    /// <summary>Where built files lie: ignored, and removed by <c>make clean</c>.</summary>
    public static string Folder { get; } = Path.Combine(Root, "bin", "emulator");

    // -march=native: a library of another processor may not run here, one of another compiler may not link.
    private static string Machine { get; } = CompilerVersion() + Processor();

    /// <summary>Whether the emulator can be built here: its sources and g++ are there.</summary>
    public static bool IsPossible { get; } = Directory.Exists(Sources) && CompilerVersion().Length > 0;

    /// <summary>The file made from some inputs, made now if it is not there yet.</summary>
    /// <param name="name">Beginning of its name, for people.</param>
    /// <param name="extension">End of its name, with the dot.</param>
    /// <param name="inputs">Everything that determines its contents.</param>
    /// <param name="make">Writes the file whose path it is given.</param>
    public static string File(string name, string extension, IEnumerable<string> inputs, Action<string> make)
    {
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', inputs.Append(Machine)))))[..20];
        var path = Path.Combine(Folder, $"{name}-{key}{extension}");
        if (System.IO.File.Exists(path))
        {
            Touch(path);
            return path;
        }
        Directory.CreateDirectory(Folder);
        var unfinished = Path.Combine(Folder, $"{name}-{key}-{Environment.ProcessId}-{Guid.NewGuid():N}{extension}");
        try
        {
            make(unfinished);
            System.IO.File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            System.IO.File.Delete(unfinished);
        }
        RemoveUnused();
        return path;
    }

    /// <summary>Runs g++.</summary>
    /// <exception cref="CudaKernelException">It does not compile; the message holds its log.</exception>
    public static void Compile(IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("g++", arguments) { RedirectStandardError = true })!;
        var log = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new CudaKernelException($"g++ does not compile for the emulator:\n{log}");
    }

    private static void Touch(string path)
    {
        try
        {
            System.IO.File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (IOException)
        {
            // Another process removed or replaced it; a file that is loaded stays whole.
        }
    }

    private static void RemoveUnused()
    {
        // Folders are what a build that was killed left behind.
        foreach (var entry in new DirectoryInfo(Folder).GetFileSystemInfos())
        {
            try
            {
                if (DateTime.UtcNow - entry.LastWriteTimeUtc <= KeptUnused) continue;
                if (entry is DirectoryInfo folder) folder.Delete(recursive: true);
                else entry.Delete();
            }
            catch (IOException)
            {
                // Somebody else's removal came first.
            }
        }
    }

    private static string CompilerVersion()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("g++", ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var version = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? version : "";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "";
        }
    }

    private static string Processor() => System.IO.File.Exists("/proc/cpuinfo")
        ? string.Join('\n', System.IO.File.ReadLines("/proc/cpuinfo").Where(line => line.StartsWith("model name", StringComparison.Ordinal) || line.StartsWith("flags", StringComparison.Ordinal)).Distinct())
        : "";

    private static string SourceRoot([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", ".."));
}
