using System.Globalization;

namespace Canal.Cli.Terminal;

/// <summary>Byte counts as people write them: 500M, 2G, 1.5GiB.</summary>
internal static class Sizes
{
    /// <summary>Reads a size; units K, M, G, T are binary, an optional B or iB may follow.</summary>
    /// <exception cref="UserException">The text is no size.</exception>
    public static long Parse(string text, string option)
    {
        var trimmed = text.Trim();
        var digits = trimmed.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        var unit = trimmed[digits..].Trim().ToUpperInvariant();
        var power = unit switch { "" or "B" => 0, "K" or "KB" or "KIB" => 1, "M" or "MB" or "MIB" => 2, "G" or "GB" or "GIB" => 3, "T" or "TB" or "TIB" => 4, _ => -1 };
        if (power < 0 || !double.TryParse(trimmed[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) || value <= 0 || value * Math.Pow(1024, power) > long.MaxValue / 2)
        {
            throw new UserException($"{option}: '{text}' is not a size; write for example 500M or 4G");
        }
        return (long)(value * Math.Pow(1024, power));
    }

    /// <summary>A size for people: three digits and a binary unit.</summary>
    public static string Format(double bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        var unit = 0;
        while (bytes >= 1000 && unit < units.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }
        var format = unit == 0 || bytes >= 100 ? "F0" : bytes >= 10 ? "F1" : "F2";
        return bytes.ToString(format, CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
