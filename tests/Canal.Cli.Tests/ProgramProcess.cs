using System.Diagnostics;
using System.Text;

namespace Canal.Cli.Tests;

/// <summary>The program as a process of its own, to be signalled and killed.</summary>
internal sealed class ProgramProcess : IDisposable
{
    private readonly Process process;
    private readonly StringBuilder error = new();
    private readonly TaskCompletionSource ended = new();

    public ProgramProcess(params string[] arguments)
    {
        // The test project's own copy of the program, run by the runtime that runs the tests; where that came with the tests, the program is ready to start.
        var host = Environment.ProcessPath!;
        var shared = Path.GetFileNameWithoutExtension(host) == "dotnet";
        string[] command = shared ? ["exec", "--runtimeconfig", Beside("Canal.Cli.Tests.runtimeconfig.json"), Beside("Canal.Cli.dll"), .. arguments] : arguments;
        var start = new ProcessStartInfo(shared ? host : Beside("Canal.Cli"), command)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["DOTNET_TieredPGO"] = "0";
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

    /// <summary>What the process said on standard error so far.</summary>
    public string Error
    {
        get
        {
            lock (error) return error.ToString();
        }
    }

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
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(2), $"'{text}' did not appear: {Error}");
            Thread.Sleep(2);
        }
    }

    /// <summary>Waits for something to happen, or the process to end.</summary>
    public void WaitUntil(Func<bool> happened)
    {
        var clock = Stopwatch.StartNew();
        while (Runs && !happened())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(2), Error);
            Thread.Sleep(1);
        }
    }

    /// <summary>Ctrl-C.</summary>
    public void Interrupt() => Assert.Equal(0, Signal(process.Id, 2));

    /// <summary>kill -9.</summary>
    public void Kill()
    {
        if (Runs) process.Kill();
        process.WaitForExit();
    }

    /// <summary>Waits for the end; the exit code.</summary>
    public int Wait()
    {
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(2)), Error);
        ended.Task.Wait(TimeSpan.FromSeconds(10));
        return process.ExitCode;
    }

    public void Dispose()
    {
        Kill();
        process.Dispose();
    }

    private static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "kill")]
    private static extern int Signal(int process, int signal);
}
