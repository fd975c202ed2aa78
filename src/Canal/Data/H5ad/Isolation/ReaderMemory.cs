using System.Globalization;

namespace Canal.Data.H5ad.Isolation;

/// <summary>What this program and the processes that read files for it took together.</summary>
public static class ReaderMemory
{
    private const string PeakField = "VmHWM:", NowField = "VmRSS:";
    private static readonly Lock gate = new();
    private static readonly List<int> alive = [];
    private static ulong peak;

    /// <summary>Most that was seen when a reader ended: this process then, and the peaks of all readers alive; 0 where there was none, or the system does not tell.</summary>
    public static ulong PeakBytes
    {
        get
        {
            lock (gate) return peak;
        }
    }

    /// <summary>Forgets what was seen so far.</summary>
    public static void Reset()
    {
        lock (gate) peak = 0;
    }

    /// <summary>A reader was started.</summary>
    internal static void Started(int process)
    {
        lock (gate) alive.Add(process);
    }

    /// <summary>A reader is about to be ended.</summary>
    internal static void Ending(int process)
    {
        lock (gate)
        {
            if (!alive.Contains(process)) return;
            var together = Read("self", NowField);
            foreach (var reader in alive) together += Read(reader.ToString(CultureInfo.InvariantCulture), PeakField);
            peak = Math.Max(peak, together);
            alive.Remove(process);
        }
    }

    private static ulong Read(string process, string field)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith(field, StringComparison.Ordinal));
            return ulong.TryParse(line?[field.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value * 1024 : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is gone already, or there is no /proc.
            return 0;
        }
    }
}
