using System.Diagnostics;
using System.Globalization;

namespace Canal.Cli.Tests.Soak;

/// <summary>
/// Kills commands at random moments: of the clock, or at a change of a file (<see cref="KillSwitch"/>). After each kill the old output is whole or the
/// new one is, the inputs are as they were and no process is left; in the end the files are those of an unbroken run and nothing is left over.
/// </summary>
/// <param name="folder">Where the runs go; a failing one is kept.</param>
/// <param name="inputs">What is killed.</param>
/// <param name="killSwitch">The library that kills at changes of files; null without one.</param>
/// <param name="seed">Seed of the moments.</param>
/// <param name="thorough">Whether what a killed program started may live on for a second only, and unbroken runs are measured as processes; otherwise a
/// busy machine decides nothing, and moments are drawn from what small runs are known to take.</param>
/// <param name="say">Is told how it goes.</param>
internal sealed class SoakRun(string folder, SoakInputs inputs, string? killSwitch, int seed, bool thorough, Action<string> say)
{
    private static readonly TimeSpan LastMoment = TimeSpan.FromSeconds(1), LongestMoment = TimeSpan.FromSeconds(60), StartUp = TimeSpan.FromSeconds(0.5);

    // Of the changes that a small run makes; labelling one file makes the fewest.
    private const long FewChanges = 40;

    // Threads of two cores that others use too would only wait for one another.
    private static readonly string[] Common = ["--threads", "1"];
    private readonly Random random = new(seed);
    private readonly SortedDictionary<string, byte[]?> given = SoakJob.Contents(inputs.Folder);
    private readonly Dictionary<string, Unbroken> unbroken = [];
    private int lives;

    /// <summary>Whether kills at changes of files are possible here.</summary>
    public bool HasSwitch => killSwitch is not null;

    /// <summary>Kills until there were so many.</summary>
    /// <param name="jobs">What.</param>
    /// <param name="kills">How many in all.</param>
    /// <param name="mostInARow">Most kills of one run before it may end.</param>
    public IReadOnlyCollection<SoakTally> Kill(IReadOnlyList<SoakJob> jobs, int kills, int mostInARow)
    {
        var tallies = jobs.Select(job => new SoakTally(job.Name)).ToList();
        while (tallies.Sum(t => t.Kills) is var done && done < kills)
        {
            var next = tallies.MinBy(t => t.Kills)!;
            Live(jobs[tallies.IndexOf(next)], next, Math.Min(1 + random.Next(mostInARow), kills - done));
            say(string.Create(CultureInfo.InvariantCulture, $"{tallies.Sum(t => t.Kills)} of {kills} kills; {next.Name}: {next.Kills} kills, {next.Equal} runs to their end"));
        }
        return tallies;
    }

    // One run from its first start to its end, killed on the way.
    private void Live(SoakJob job, SoakTally tally, int kills)
    {
        var whole = unbroken.TryGetValue(job.Name, out var known) ? known : unbroken[job.Name] = Measure(job);
        var life = new SoakLife(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"run-{++lives}")), job);
        var old = SoakJob.Contents(life.Output);
        var (killed, ended) = (0, false);
        while (!ended)
        {
            var hadState = SoakJob.HasState(life.Output);
            var last = killed >= kills;
            var change = !last && HasSwitch && random.Next(2) == 0 ? 1 + random.NextInt64(whole.Changes) : 0;
            var moment = whole.Time * random.NextDouble();
            using var program = new ProgramProcess(
                [.. life.Environment, .. change > 0 ? KillSwitch.Environment(killSwitch!, life.Notes, change, life.Output) : []], [.. job.Command(life.Output), .. Common]);
            life.Note($"start; {(last ? "to its end" : change > 0 ? $"to be killed at change {change}" : $"to be killed after {moment.TotalSeconds:f3} s")}");
            if (!last && change == 0 && !program.Wait(moment)) program.Kill();
            var code = program.Wait();
            life.Note(program.Error);
            life.NobodyIsLeft(thorough ? LastMoment : LongestMoment);
            var resumed = program.Error.Contains("going on from", StringComparison.Ordinal);
            if (resumed) tally.Resumed++;
            if (code == ProgramProcess.KilledCode)
            {
                if (killed++ > 0) tally.OfResumed++;
                Count(tally, life.Output, program, change > 0 ? KillSwitch.KilledAt(life.Notes) : null);
                Check(life, whole.Files, old);
                continue;
            }
            life.Assert(code == ExitCodes.Done, $"it ended with {code}: {program.Error}");
            life.Assert(resumed || !hadState, "it had a training state and did not go on from it");
            ended = true;
        }
        Check(life, whole.Files, old: []);
        life.Same("at the end the output folder", whole.Files, SoakJob.Contents(life.Output));
        life.Assert(!Directory.EnumerateFileSystemEntries(life.Temporary).Any(), $"something is left in {life.Temporary}");
        life.Same("the input folder", given, SoakJob.Contents(inputs.Folder));
        tally.Equal++;
        life.Remove();
    }

    private Unbroken Measure(SoakJob job)
    {
        var life = new SoakLife(Path.Combine(folder, "whole-" + string.Concat(job.Name.Where(char.IsAsciiLetterOrDigit))), job);
        var clock = Stopwatch.StartNew();
        if (!thorough)
        {
            var run = CommandLineRun.Of([.. job.Command(life.Output), .. Common]);
            life.Assert(run.Code == ExitCodes.Done, $"unbroken, it ended with {run.Code}: {run.Error}");
            return new Unbroken(SoakJob.Contents(life.Output), clock.Elapsed + StartUp, FewChanges);
        }
        using var program = new ProgramProcess([.. life.Environment, .. HasSwitch ? KillSwitch.Environment(killSwitch!, life.Notes, 0, life.Output) : []], [.. job.Command(life.Output), .. Common]);
        var code = program.Wait();
        var time = clock.Elapsed;
        life.Assert(code == ExitCodes.Done, $"unbroken, it ended with {code}: {program.Error}");
        var changes = HasSwitch ? KillSwitch.Changes(life.Notes) : 0;
        life.Assert(changes > 0 || !HasSwitch, $"its changes of files were not counted: {program.Error}");
        say(string.Create(CultureInfo.InvariantCulture, $"{job.Name}: unbroken {time.TotalSeconds:f1} s, {changes} changes of files"));
        return new Unbroken(SoakJob.Contents(life.Output), time, changes);
    }

    // Every file is the old one or the new one, whole; none of the old is missing.
    private static void Check(SoakLife life, SortedDictionary<string, byte[]?> whole, SortedDictionary<string, byte[]?> old)
    {
        var now = SoakJob.Contents(life.Output);
        foreach (var (path, bytes) in now)
        {
            if (SoakJob.IsPassing(path) || bytes is null) continue;
            var same = Same(whole, path, bytes) || Same(old, path, bytes);
            life.Assert(same, $"{path} is neither the old nor the new one");
        }
        foreach (var path in old.Keys) life.Assert(now.ContainsKey(path), $"{path} of an earlier run is gone");

        static bool Same(SortedDictionary<string, byte[]?> files, string path, byte[] bytes) => files.TryGetValue(path, out var other) && other is not null && bytes.AsSpan().SequenceEqual(other);
    }

    private static void Count(SoakTally tally, string output, ProgramProcess program, (string What, string Path)? at)
    {
        var (change, path) = at ?? ("", Unfinished(output, program.Id) ?? "");
        if (change == "rename") tally.AtRename++;
        if (change == "write") tally.InWrite++;
        tally.Phases[(int)PhaseOf(change, path, program.Error)]++;
    }

    private static KillPhase PhaseOf(string change, string path, string error)
    {
        var file = Path.GetFileName(path);
        var scratch = file.StartsWith(".canal-", StringComparison.Ordinal);
        var computing = error.Contains("training and", StringComparison.Ordinal) || error.Contains("matched", StringComparison.Ordinal);
        if (change is "unlink" or "rmdir" && !scratch) return KillPhase.Tidying;
        if (file.Contains("state.safetensors", StringComparison.Ordinal)) return KillPhase.State;
        if (change == "rename" || (file.EndsWith(".tmp", StringComparison.Ordinal) && !scratch)) return KillPhase.Output;
        return computing ? KillPhase.Computing : KillPhase.Reading;
    }

    // The temporary file that a program was writing, by the number of the process in its name.
    private static string? Unfinished(string output, int process) => Directory.EnumerateFiles(output, ".*.tmp", SearchOption.AllDirectories)
        .FirstOrDefault(file => Path.GetFileName(file).Contains(string.Create(CultureInfo.InvariantCulture, $"-{process}-"), StringComparison.Ordinal)) is { } found
        ? found : null;

    /// <param name="Files">What it writes.</param>
    /// <param name="Time">How long it takes.</param>
    /// <param name="Changes">Changes of files on the way.</param>
    private sealed record Unbroken(SortedDictionary<string, byte[]?> Files, TimeSpan Time, long Changes);
}
