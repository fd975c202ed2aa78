namespace Canal.Fuzz;

/// <summary>What an input may come to: done, or one line and exit code 2 with nothing written.</summary>
internal static class Verdict
{
    private const int LongestLine = 4000;

    /// <summary>What is wrong with an answer; null where it is as it should be.</summary>
    /// <param name="input">The input.</param>
    /// <param name="code">Exit code.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="error">Standard error.</param>
    /// <param name="before">Files that were there before.</param>
    public static string? Of(FuzzCase input, int code, string output, string error, IReadOnlyCollection<string> before)
    {
        if (Unprintable(output) is { } first) return $"standard output holds the character U+{(int)first:X4}";
        if (Unprintable(error) is { } second) return $"standard error holds the character U+{(int)second:X4}";
        if (code == 0) return input.Output is { } written && !File.Exists(written) && !Directory.Exists(written) ? "exit code 0 but no output" : null;
        if (input.IsSound) return $"a sound input was refused with exit code {code}: {error.Trim()}";
        if (code != 2) return $"exit code {code}: {error.Trim()}";
        var lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Count(line => line.StartsWith("canal: ", StringComparison.Ordinal)) != 1 || !lines[^1].StartsWith("canal: ", StringComparison.Ordinal)) return $"not one line: {error.Trim()}";
        if (lines[^1].Length > LongestLine) return $"a line of {lines[^1].Length} characters";
        // The lock of a run's folder stays with the state that was not used.
        var after = Files(input.Folder).Except(before).Where(file => input.Kind != FuzzKind.State || Path.GetFileName(file) != "lock").ToList();
        return after.Count == 0 ? null : "refused, but left " + string.Join(", ", after);
    }

    /// <summary>Files below a folder.</summary>
    public static IReadOnlyCollection<string> Files(string folder) => [.. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private static char? Unprintable(string text)
    {
        foreach (var character in text)
            if (character != '\n' && char.IsControl(character)) return character;
        return null;
    }
}
