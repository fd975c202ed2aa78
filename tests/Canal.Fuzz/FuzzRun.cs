using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Canal.Data.H5ad.Isolation;

namespace Canal.Fuzz;

/// <summary>Runs all inputs and says what came of them.</summary>
internal sealed class FuzzRun(FuzzSettings settings, TextWriter output)
{
    private readonly ConcurrentDictionary<(FuzzKind, string), int> outcomes = new();
    private readonly ConcurrentQueue<(FuzzCase Input, string Failure)> failures = new();
    private readonly ConcurrentDictionary<string, int> readerEnds = new();
    private readonly Lock gate = new();
    private double longest;
    private long largest;
    private int asCommandLine, starts, done;
    private string longestOf = "", largestOf = "";

    /// <summary>Inputs that did not come to what they may come to.</summary>
    public IReadOnlyCollection<(FuzzCase Input, string Failure)> Failures => failures;

    /// <summary>How many inputs of each kind ended how.</summary>
    public IReadOnlyDictionary<(FuzzKind Kind, string Outcome), int> Outcomes => outcomes;

    /// <summary>Runs them; whether all came to what they may come to.</summary>
    public bool Run()
    {
        var clock = Stopwatch.StartNew();
        Directory.CreateDirectory(settings.Keep);
        output.WriteLine($"fuzz: seed {settings.Seed}, {settings.Inputs} inputs, {settings.Jobs} workers; repeat with --seed {settings.Seed}, one input with --only INDEX");
        var cases = new FuzzCases(new FuzzInputs(Path.Combine(settings.Keep, "sound")), settings);
        var next = settings.Only >= 0 ? settings.Only - 1 : -1;
        var end = settings.Only >= 0 ? settings.Only + 1 : settings.Inputs;
        var threads = Enumerable.Range(0, settings.Jobs).Select(_ => new Thread(() =>
        {
            using var worker = new WorkerProcess(settings);
            while (true)
            {
                var index = Interlocked.Increment(ref next);
                if (index >= end) break;
                RunOne(cases, index, worker);
            }
            lock (gate) starts += worker.Starts;
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Summarise(clock.Elapsed);
        return failures.IsEmpty;
    }

    private void RunOne(FuzzCases cases, int index, WorkerProcess worker)
    {
        FuzzCase input;
        // One at a time: making an input uses libhdf5 here, on sound files.
        lock (gate) input = cases.Make(index);
        var before = Verdict.Files(input.Folder);
        var answer = input.AsCommandLine ? RunProgram(input, out var seconds, out var failure) : worker.Ask(input.Arguments, out seconds, out failure);
        failure ??= Verdict.Of(input, answer!.Code, answer.Out, answer.Error, before);
        lock (gate)
        {
            if (seconds > longest) (longest, longestOf) = (seconds, $"input {index}");
            if (answer?.PeakBytes > largest) (largest, largestOf) = (answer.PeakBytes, $"input {index}");
            if (input.AsCommandLine) asCommandLine++;
        }
        outcomes.AddOrUpdate((input.Kind, failure is not null ? "failed" : answer!.Code == 0 ? "done" : "refused"), 1, (_, n) => n + 1);
        if (answer?.Error is { } said)
        {
            foreach (var end in new[] { "the HDF5 library crashed", "did not come back", "took more memory", "library went wrong", "stopped answering" })
                if (said.Contains(end, StringComparison.Ordinal)) readerEnds.AddOrUpdate(end, 1, (_, n) => n + 1);
        }
        if (failure is null) Directory.Delete(input.Folder, recursive: true);
        else Keep(input, failure);
        if (Interlocked.Increment(ref done) % 500 == 0)
            lock (gate) output.WriteLine($"fuzz: {done} inputs, {failures.Count} failed");
    }

    private WorkerAnswer? RunProgram(FuzzCase input, out double seconds, out string? failure)
    {
        var (program, arguments) = settings.Program!.Value;
        var start = new ProcessStartInfo(program, [.. arguments, .. input.Arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x" + Worker.MemoryBytes.ToString("x", CultureInfo.InvariantCulture);
        start.Environment[ReaderCommand.MemoryVariable] = (Worker.ReaderMemoryBytes >> 20).ToString(CultureInfo.InvariantCulture);
        using var process = Process.Start(start)!;
        var (said, told) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        failure = null;
        seconds = 0;
        for (var clock = Stopwatch.StartNew(); !process.WaitForExit(200);)
        {
            process.Refresh();
            if (!process.HasExited) seconds = process.TotalProcessorTime.TotalSeconds;
            if (seconds <= settings.MostSeconds && clock.Elapsed.TotalSeconds <= settings.MostClockSeconds) continue;
            failure = string.Create(CultureInfo.InvariantCulture, $"took too long: {seconds:0.0} s of processor time, {clock.Elapsed.TotalSeconds:0.0} s by the clock");
            process.Kill();
        }
        return failure is null ? new WorkerAnswer(process.ExitCode, said.Result, told.Result, 0) : null;
    }

    private void Keep(FuzzCase input, string failure)
    {
        failures.Enqueue((input, failure));
        File.WriteAllText(Path.Combine(input.Folder, "command.txt"), $"{input.Command}\n{input.Source}\n{failure}\n");
        lock (gate) output.WriteLine($"fuzz: FAILED input {input.Index} ({input.Kind}: {input.Source}): {failure}\n  {input.Command}");
    }

    private void Summarise(TimeSpan elapsed)
    {
        output.WriteLine();
        output.WriteLine("kind            inputs   done  refused  failed");
        foreach (var kind in Enum.GetValues<FuzzKind>())
        {
            int Of(string outcome) => outcomes.GetValueOrDefault((kind, outcome));
            output.WriteLine($"{kind,-14} {Of("done") + Of("refused") + Of("failed"),7} {Of("done"),6} {Of("refused"),8} {Of("failed"),7}");
        }
        output.WriteLine();
        var command = settings.Program is null ? "no program was named to run any as a command line" : $"{asCommandLine} of them as a command line in a process of its own";
        output.WriteLine($"{done - asCommandLine} inputs through the command's entry in workers (started {starts} times for {settings.Jobs}), {command}; each .h5ad read by a process of its own.");
        output.WriteLine($"Limits: {settings.MostSeconds} s of processor time ({settings.MostClockSeconds} s by the clock), memory {Worker.MemoryBytes >> 20} MiB and {Worker.ReaderMemoryBytes >> 20} MiB for the process that reads.");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Longest: {longest:0.00} s of processor time ({longestOf}). Largest worker: {largest >> 20} MiB resident ({largestOf})."));
        output.WriteLine("Readers that died and became one line: " + (readerEnds.IsEmpty ? "none" : string.Join(", ", readerEnds.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{e.Value} x '{e.Key}'"))) + ".");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"fuzz: seed {settings.Seed}: {done} inputs in {elapsed.TotalSeconds:0} s, {failures.Count} failed{(failures.IsEmpty ? "" : $"; they are kept in {settings.Keep}")}"));
    }
}
