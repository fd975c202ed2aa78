using System.Globalization;

namespace Canal.Cli.Terminal;

/// <summary>Durations for people.</summary>
internal static class Duration
{
    /// <summary>Seconds as 0.42 s, 12 s, 3 min 05 s or 2 h 10 min.</summary>
    public static string Format(double seconds) => seconds switch
    {
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds:G2} s"),
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{seconds:F0} s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(seconds / 60):F0} min {seconds % 60:00} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(seconds / 3600):F0} h {seconds % 3600 / 60:00} min"),
    };
}
