using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Canal;

/// <summary>
/// Names of the files that outputs are written under until they are whole: <c>.TARGET.OWNER-PID-RUN.UNIQUE.tmp</c>. The name says whose the file is, so
/// that what a killed process left behind can be told from what a living one is writing, and removed by the next that writes the same target.
/// </summary>
internal static class TemporaryNames
{
    private const string Ending = ".tmp";

    /// <summary>What process numbers are unique within: the machine and, in a container, its process namespace.</summary>
    private static readonly string owner = Hash(Environment.MachineName + "\n" + ProcessNamespace());

    /// <summary>Tells this process from an earlier one that had the same number.</summary>
    private static readonly string run = Guid.NewGuid().ToString("N")[..8];

    /// <summary>A fresh path beside a target, this process's own.</summary>
    public static string Next(string target) =>
        Path.Combine(Path.GetDirectoryName(target)!, NameOf(Path.GetFileName(target), owner, Environment.ProcessId, run, Guid.NewGuid().ToString("N")[..16]));

    /// <summary>A name from its parts.</summary>
    internal static string NameOf(string target, string owner, int process, string run, string unique) =>
        string.Create(CultureInfo.InvariantCulture, $".{target}.{owner}-{process}-{run}.{unique}{Ending}");

    /// <summary>What <see cref="NameOf"/> takes as the owner in this process.</summary>
    internal static string Owner => owner;

    /// <summary>Removes what processes of this machine that are no more left beside a target. Whose process may live is left alone, and what cannot be removed too.</summary>
    public static void RemoveAbandoned(string target)
    {
        var start = "." + Path.GetFileName(target) + ".";
        try
        {
            foreach (var file in Directory.EnumerateFiles(Path.GetDirectoryName(target)!))
            {
                var name = Path.GetFileName(file);
                if (!name.StartsWith(start, StringComparison.Ordinal) || !name.EndsWith(Ending, StringComparison.Ordinal)) continue;
                if (name.Length > start.Length + Ending.Length && IsAbandoned(name[start.Length..^Ending.Length])) File.Delete(file);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Tidying up must not stand in the way of the output.
        }
    }

    private static bool IsAbandoned(string text)
    {
        if (text.Split('.') is not [var who, { Length: 16 }] || who.Split('-') is not [{ } machine, var number, { Length: 8 } which]) return false;
        if (machine != owner || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var process)) return false;
        return process == Environment.ProcessId ? which != run : !Lives(process);
    }

    private static bool Lives(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
        catch (Exception error) when (error is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return true; // there is one, of another user
        }
    }

    private static string ProcessNamespace()
    {
        try
        {
            return new FileInfo("/proc/self/ns/pid").LinkTarget ?? "";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..8];
}
