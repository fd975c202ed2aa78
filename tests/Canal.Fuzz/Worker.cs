using System.Globalization;
using System.Text.Json;
using Canal.Cli;
using Canal.Data.H5ad.Isolation;
using Canal.Interop.Posix;

namespace Canal.Fuzz;

/// <summary>What a command came to.</summary>
/// <param name="Code">Exit code.</param>
/// <param name="Out">Standard output.</param>
/// <param name="Error">Standard error.</param>
/// <param name="PeakBytes">Most resident memory while it ran, in the worker.</param>
internal sealed record WorkerAnswer(int Code, string Out, string Error, long PeakBytes);

/// <summary>Runs command lines, one after another, through the program's own entry behind <c>Main</c>; each .h5ad is read by a process of its own as ever.</summary>
internal static class Worker
{
    public const string Verb = "worker";

    /// <summary>Memory that a worker may write to: the runtime, the program, a tiny model.</summary>
    public const long MemoryBytes = 1536L << 20;

    /// <summary>Memory of the process that reads an .h5ad for it.</summary>
    public const long ReaderMemoryBytes = 1024L << 20;

    // What a worker does to show that its watcher notices.
    public const string Crash = "fuzz:crash", Loop = "fuzz:loop", Hunger = "fuzz:hunger";

    /// <summary>Serves until its input ends.</summary>
    public static int Run(ReaderCommand? reader)
    {
        OwnProcess.EndWithStandardInput(98);
        OwnProcess.DumpNothing();
        OwnProcess.LimitMemory(MemoryBytes);
        ReaderCommand.Use(reader is null ? null : reader with { MemoryBytes = ReaderMemoryBytes });
        using var input = new StreamReader(Console.OpenStandardInput());
        using var output = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };
        Console.SetOut(TextWriter.Null);
        Console.SetError(TextWriter.Null);
        while (input.ReadLine() is { } line) output.WriteLine(JsonSerializer.Serialize(Answer(JsonSerializer.Deserialize<string[]>(line)!)));
        return 0;
    }

    private static WorkerAnswer Answer(string[] arguments)
    {
        switch (arguments)
        {
            case [Crash]: Environment.FailFast("as asked"); break;
            case [Loop]: for (var spin = 0L; ; spin++) Thread.SpinWait(1);
            case [Hunger]:
                var hoard = new List<byte[]>();
                while (true) hoard.Add(GC.AllocateArray<byte>(64 << 20, pinned: true));
        }
        ForgetPeak();
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = Cli.Program.Run(arguments, new CommandContext(output, error, CancellationToken.None) { Interactive = false });
        return new WorkerAnswer(code, output.ToString(), error.ToString(), PeakBytes());
    }

    private static void ForgetPeak()
    {
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Then the peak is that of all inputs so far.
        }
    }

    private static long PeakBytes()
    {
        const string name = "VmHWM:";
        var line = File.Exists("/proc/self/status") ? File.ReadLines("/proc/self/status").FirstOrDefault(text => text.StartsWith(name, StringComparison.Ordinal)) : null;
        return line is null ? 0 : long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) << 10;
    }
}
