using System.Text.RegularExpressions;

namespace Canal.Cli.Tests.Soak;

/// <summary>A command that is killed again and again.</summary>
/// <param name="Name">What the table calls it.</param>
/// <param name="Command">Its command line, given the folder that it writes to.</param>
/// <param name="PutOld">Puts the output of an earlier run there; null for none.</param>
internal sealed partial record SoakJob(string Name, Func<string, string[]> Command, Action<string>? PutOld)
{
    private const string State = "state.safetensors";

    /// <summary>What counts in an output folder, by path within it: contents of files, <see langword="null"/> for folders. Logs may say more of a run that was killed.</summary>
    public static SortedDictionary<string, byte[]?> Contents(string folder)
    {
        var found = new SortedDictionary<string, byte[]?>(StringComparer.Ordinal);
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            found[Path.GetRelativePath(folder, entry.FullName)] = entry is DirectoryInfo ? null : Compared(entry.FullName);
        }
        return found;
    }

    /// <summary>Whether a path is of what a run needs only until it has ended.</summary>
    public static bool IsPassing(string path) =>
        path.Split('/').Any(part => part.EndsWith(".partial", StringComparison.Ordinal) || (part.StartsWith('.') && part.EndsWith(".tmp", StringComparison.Ordinal)));

    /// <summary>Whether an unfinished output has a training state to go on from.</summary>
    public static bool HasState(string folder) => Directory.EnumerateFiles(folder, State, SearchOption.AllDirectories).Any(state =>
    {
        // A stage of a stream, or its base, is finished when these are written; what lies beside them is only to be tidied away.
        var output = Path.ChangeExtension(Path.GetDirectoryName(state)![..^".partial".Length], null);
        return !File.Exists(output + ".json") && !File.Exists(output + ".identity");
    });

    private static byte[] Compared(string file) => Path.GetExtension(file) switch
    {
        ".log" => [],
        ".json" => System.Text.Encoding.UTF8.GetBytes(Seconds().Replace(File.ReadAllText(file), "")),
        _ => File.ReadAllBytes(file),
    };

    [GeneratedRegex("\"seconds\": [-+.0-9eE]+")]
    private static partial Regex Seconds();
}
