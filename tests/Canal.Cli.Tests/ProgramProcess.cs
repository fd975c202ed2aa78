using System.Diagnostics;
using System.Text;
using Canal.Data.H5ad.Isolation;

namespace Canal.Cli.Tests;

/// <summary>The program as a process of its own, to be signalled and killed.</summary>
internal sealed class ProgramProcess : IDisposable
{
    /// <summary>Exit code of a process that SIGKILL ended.</summary>
    public const int KilledCode = 128 + 9;

    // For a program that hangs; others may keep the machine busy.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private readonly Process process;
    private readonly StringBuilder error = new();
    private readonly TaskCompletionSource ended = new();

    public ProgramProcess(params string[] arguments)
        : this([], arguments)
    {
    }

    /// <summary>Starts it with some environment variables more than ours.</summary>
    public ProgramProcess(IEnumerable<KeyValuePair<string, string>> environment, string[] arguments)
    {
        var (program, before) = Command;
        var start = new ProcessStartInfo(program, [.. before, .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["DOTNET_TieredPGO"] = "0";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        process = new Process { StartInfo = start };
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null) ended.TrySetResult();
            else
            {
                lock (error) error.AppendLine(line.Data);
            }
        };
        process.OutputDataReceived += (_, _) => { };
        process.Start();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
    }

    /// <summary>How the program is started: the test project's own copy, by the runtime that runs the tests; where that came with the tests, the program is ready to start.</summary>
    public static (string Program, string[] Arguments) Command =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet"
            ? (Environment.ProcessPath!, ["exec", "--runtimeconfig", Beside("Canal.Cli.Tests.runtimeconfig.json"), Beside("Canal.Cli.dll")])
            : (Beside("Canal.Cli"), []);

    /// <summary>How a process that reads an .h5ad is started.</summary>
    public static ReaderCommand Reader => new(Command.Program, [.. Command.Arguments, ReaderCommand.Verb]);

    /// <summary>What the process said on standard error so far.</summary>
    public string Error
    {
        get
        {
            lock (error) return error.ToString();
        }
    }

    /// <summary>Its number.</summary>
    public int Id => process.Id;

    /// <summary>Whether it is still running.</summary>
    public bool Runs => !process.HasExited;

    /// <summary>Runs a command to its end.</summary>
    public static (int Code, string Error) Run(params string[] arguments)
    {
        using var program = new ProgramProcess(arguments);
        return (program.Wait(), program.Error);
    }

    /// <summary>Waits until a text appears on standard error, or the process ends.</summary>
    public void WaitFor(string text)
    {
        var clock = Stopwatch.StartNew();
        while (Runs && !Error.Contains(text, StringComparison.Ordinal))
        {
            Assert.True(clock.Elapsed < Longest, $"'{text}' did not appear: {Error}");
            Thread.Sleep(2);
        }
    }

    /// <summary>Waits for something to happen, or the process to end.</summary>
    public void WaitUntil(Func<bool> happened)
    {
        var clock = Stopwatch.StartNew();
        while (Runs && !happened())
        {
            Assert.True(clock.Elapsed < Longest, Error);
            Thread.Sleep(1);
        }
    }

    /// <summary>Ctrl-C.</summary>
    public void Interrupt() => Assert.Equal(0, Signal(process.Id, 2));

    /// <summary>kill -9.</summary>
    public void Kill()
    {
        if (Runs) process.Kill();
        WaitForEnd();
    }

    /// <summary>Waits for the end; the exit code.</summary>
    public int Wait()
    {
        WaitForEnd();
        return process.ExitCode;
    }

    /// <summary>Waits for the end for some time; whether it came.</summary>
    public bool Wait(TimeSpan most) => process.WaitForExit(most);

    public void Dispose()
    {
        Kill();
        process.Dispose();
    }

    // What it started may hold its outputs open for longer than it lives.
    private void WaitForEnd()
    {
        Assert.True(process.WaitForExit(Longest), Error);
        ended.Task.Wait(TimeSpan.FromSeconds(10));
    }

    private static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "kill")]
    private static extern int Signal(int process, int signal);
}
