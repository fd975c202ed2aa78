using System.Globalization;

namespace Canal.Data.H5ad.Isolation;

/// <summary>
/// How this program starts a process that reads an <c>.h5ad</c> for it. libhdf5 does not survive every damage to a file (a few changed bytes in
/// a heap or a header end in a segmentation fault or a loop), and what kills it kills its process: so it gets one of its own for every file.
/// </summary>
/// <param name="Program">The executable.</param>
/// <param name="Arguments">What it is called with; it must end in <see cref="ReaderServer.Run"/>.</param>
public sealed record ReaderCommand(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>The word on the command line that makes a program a reader.</summary>
    public const string Verb = "--h5ad-reader";

    /// <summary>The environment variable with the mebibytes that a reader may use.</summary>
    public const string MemoryVariable = "CANAL_READER_MEMORY_MIB";

    private const long LeastMemoryBytes = 2L << 30;

    /// <summary>A file compresses well, but what is kept of it in memory at a time (names, labels, a few chunks) is a small part of it.</summary>
    private const long MemoryBytesPerFileByte = 16;

    /// <summary>Bytes that a reader may use; null for as many as the file's size makes plausible.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>The command in use; null (the default, and that of a library's user) reads in this process.</summary>
    public static ReaderCommand? Current { get; private set; }

    /// <summary>From here on every <c>.h5ad</c> is read in a process of its own. For the start of a program, before it reads anything.</summary>
    public static void Use(ReaderCommand? command) => Current = command;

    /// <summary>This very program with other arguments, found from how it was itself started.</summary>
    /// <param name="ownArguments">The arguments that the program's main function got.</param>
    public static ReaderCommand? OfThisProgram(IReadOnlyCollection<string> ownArguments)
    {
        ArgumentNullException.ThrowIfNull(ownArguments);
        if (Environment.ProcessPath is not { } program || OperatingSystem.IsWindows()) return null;
        return new ReaderCommand(program, [.. HostArguments(program, ownArguments.Count), Verb]);
    }

    /// <summary>Bytes that the reader of a file may use.</summary>
    internal long MemoryFor(string path)
    {
        if (MemoryBytes is { } given) return given;
        if (long.TryParse(Environment.GetEnvironmentVariable(MemoryVariable), NumberStyles.None, CultureInfo.InvariantCulture, out var mebibytes) && mebibytes is > 0 and < 1 << 30) return mebibytes << 20;
        return LeastMemoryBytes + MemoryBytesPerFileByte * Math.Min(new FileInfo(path).Length, long.MaxValue >> 8);
    }

    /// <summary>What to say where that was not enough.</summary>
    internal static string MoreMemory => $"{MemoryVariable} sets the limit";

    /// <summary>What stands before our own arguments: nothing for an executable of ours, <c>exec --option Program.dll</c> for the runtime's.</summary>
    private static string[] HostArguments(string program, int ownArguments)
    {
        try
        {
            var line = File.ReadAllText("/proc/self/cmdline").Split('\0')[..^1];
            return line[1..^ownArguments];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // No /proc: the runtime's own executable was given the program's file, any other is the program.
            return Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
        }
    }
}
