using System.Globalization;

namespace Canal.Benchmarks;

/// <summary>The process's largest resident memory, as Linux counts it.</summary>
public static class ProcessMemory
{
    private const string Status = "/proc/self/status", ClearReferences = "/proc/self/clear_refs";

    /// <summary>Starts counting anew, so that the peak is that of what follows; false where the system does not allow it.</summary>
    public static bool ResetPeak()
    {
        try
        {
            File.WriteAllText(ClearReferences, "5");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Most resident bytes since the start or the last reset (VmHWM); null where the system does not tell.</summary>
    public static ulong? PeakBytes()
    {
        const string Field = "VmHWM:";
        if (!File.Exists(Status)) return null;
        var line = File.ReadLines(Status).FirstOrDefault(l => l.StartsWith(Field, StringComparison.Ordinal));
        var kibibytes = line?[Field.Length..].Replace("kB", "", StringComparison.Ordinal).Trim();
        return ulong.TryParse(kibibytes, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value * 1024 : null;
    }
}
