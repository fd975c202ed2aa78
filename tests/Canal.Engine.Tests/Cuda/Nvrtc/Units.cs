using System.Globalization;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Numbers with three digits and a unit.</summary>
internal static class Units
{
    public static string Bytes(long bytes) => bytes < 1000 ? $"{bytes} B" : Scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);

    public static string Count(long count) => count == 0 ? "0" : Scaled(count, ["", "k", "M", "G", "T"]);

    public static string Time(double seconds) => Scaled(seconds * 1e9, ["ns", "µs", "ms", "s"]);

    /// <summary>Three digits, without a unit.</summary>
    public static string Rounded(double value) => value.ToString(value >= 100 ? "N0" : value >= 10 ? "F1" : "F2", CultureInfo.InvariantCulture);

    private static string Scaled(double value, string[] units)
    {
        var unit = 0;
        while (value >= 999.5 && unit < units.Length - 1) (value, unit) = (value / 1000, unit + 1);
        return $"{Rounded(value)} {units[unit]}".TrimEnd();
    }
}
