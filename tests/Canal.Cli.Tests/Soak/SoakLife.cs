using System.Diagnostics;

namespace Canal.Cli.Tests.Soak;

/// <summary>The folders of one run and of its resumptions, and a log of what happened to it; kept when something is wrong.</summary>
internal sealed class SoakLife
{
    private const string Mark = "CANAL_SOAK_RUN";
    private readonly string root;
    private readonly string log;
    private readonly Stopwatch clock = Stopwatch.StartNew();

    /// <summary>Makes the folders and puts the output of an earlier run there.</summary>
    public SoakLife(string root, SoakJob job)
    {
        (this.root, log) = (root, Path.Combine(root, "log.txt"));
        (Output, Temporary) = (Directory.CreateDirectory(Path.Combine(root, "out")).FullName, Directory.CreateDirectory(Path.Combine(root, "tmp")).FullName);
        job.PutOld?.Invoke(Output);
        Note($"canal {string.Join(' ', job.Command(Output))}");
    }

    /// <summary>What the command writes to.</summary>
    public string Output { get; }

    /// <summary>What it takes for the system's temporary folder.</summary>
    public string Temporary { get; }

    /// <summary>Where the <see cref="KillSwitch"/> notes what it did.</summary>
    public string Notes => Path.Combine(root, "kill");

    /// <summary>The mark by which all processes of this run are known, and no files of the runtime's own in the temporary folder.</summary>
    public KeyValuePair<string, string>[] Environment => [new(Mark, root), new("TMPDIR", Temporary), new("DOTNET_EnableDiagnostics", "0")];

    /// <summary>Writes something down.</summary>
    public void Note(string text) => File.AppendAllText(log, $"[{clock.Elapsed.TotalSeconds:f3} s] {text}\n");

    /// <summary>Fails, with the name of the folder, unless something holds.</summary>
    public void Assert(bool holds, string otherwise)
    {
        if (holds) return;
        Note("FAILED: " + otherwise);
        throw new Xunit.Sdk.XunitException($"{otherwise}\nKept: {root} (log.txt says what happened)");
    }

    /// <summary>Fails unless two folders have the same contents.</summary>
    public void Same(string what, SortedDictionary<string, byte[]?> expected, SortedDictionary<string, byte[]?> actual)
    {
        var missing = expected.Keys.Except(actual.Keys).ToList();
        var surplus = actual.Keys.Except(expected.Keys).ToList();
        Assert(missing.Count + surplus.Count == 0, $"{what} lacks [{string.Join(", ", missing)}] and has besides [{string.Join(", ", surplus)}]");
        foreach (var (path, bytes) in expected) Assert(bytes.AsSpan().SequenceEqual(actual[path]), $"{what} has another {path}");
    }

    /// <summary>Fails if a process of this run lives on for longer than a moment.</summary>
    public void NobodyIsLeft(TimeSpan moment)
    {
        if (!OperatingSystem.IsLinux()) return;
        var waited = Stopwatch.StartNew();
        List<string> left;
        while ((left = Left()).Count > 0 && waited.Elapsed < moment) Thread.Sleep(5);
        Assert(left.Count == 0, $"{moment.TotalSeconds} s after its end these processes of it were still there: {string.Join("; ", left)}");
    }

    /// <summary>Removes the folders.</summary>
    public void Remove() => Directory.Delete(root, recursive: true);

    private List<string> Left()
    {
        var left = new List<string>();
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            try
            {
                if (!File.ReadAllText(Path.Combine(process, "environ")).Split('\0').Contains($"{Mark}={root}", StringComparer.Ordinal)) continue;
                left.Add($"{Path.GetFileName(process)} {File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ')}");
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                // It ended, or is another user's.
            }
        }
        return left;
    }
}
