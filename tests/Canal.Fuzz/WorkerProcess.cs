using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Canal.Fuzz;

/// <summary>A worker seen from outside: started when needed, ended when it takes too long, started again after it died.</summary>
internal sealed class WorkerProcess(FuzzSettings settings) : IDisposable
{
    private const int LookMilliseconds = 200;
    private Process? process;

    /// <summary>How often a worker had to be started.</summary>
    public int Starts { get; private set; }

    /// <summary>Runs one command line.</summary>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="seconds">Processor time that the worker itself took.</param>
    /// <param name="failure">What became of the worker where there is no answer.</param>
    public WorkerAnswer? Ask(string[] arguments, out double seconds, out string? failure)
    {
        var worker = process ?? Start();
        var before = worker.TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        seconds = 0;
        Task<string?> answer;
        try
        {
            worker.StandardInput.WriteLine(JsonSerializer.Serialize(arguments));
            worker.StandardInput.Flush();
            answer = worker.StandardOutput.ReadLineAsync();
            while (!answer.Wait(LookMilliseconds))
            {
                if (worker.HasExited) continue;
                worker.Refresh();
                seconds = (worker.TotalProcessorTime - before).TotalSeconds;
                if (seconds <= settings.MostSeconds && clock.Elapsed.TotalSeconds <= settings.MostClockSeconds) continue;
                failure = string.Create(CultureInfo.InvariantCulture, $"took too long: {seconds:0.0} s of processor time, {clock.Elapsed.TotalSeconds:0.0} s by the clock");
                End();
                return null;
            }
            worker.Refresh();
            if (!worker.HasExited) seconds = (worker.TotalProcessorTime - before).TotalSeconds;
        }
        catch (Exception error) when (error is IOException or InvalidOperationException)
        {
            answer = Task.FromResult<string?>(null);
        }
        failure = null;
        if (answer.Result is { } line) return JsonSerializer.Deserialize<WorkerAnswer>(line);
        worker.WaitForExit();
        failure = $"the worker died: exit code {worker.ExitCode}" + (worker.ExitCode > 128 ? $" (signal {worker.ExitCode - 128})" : "");
        End();
        return null;
    }

    public void Dispose() => End();

    private Process Start()
    {
        Starts++;
        process = Process.Start(new ProcessStartInfo(settings.Worker.Program, settings.Worker.Arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        return process;
    }

    private void End()
    {
        if (process is null) return;
        if (!process.HasExited) process.Kill();
        process.WaitForExit();
        process.Dispose();
        process = null;
    }
}
