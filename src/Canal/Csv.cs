using System.Globalization;

namespace Canal;

/// <summary>Fields of comma-separated files that a spreadsheet can open without running anything in them.</summary>
public static class Csv
{
    /// <summary>A text field: quoted where it must be, and behind an apostrophe where a spreadsheet would take it for a formula.</summary>
    public static string Field(string text)
    {
        var safe = text.Length > 0 && text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' or '\n' ? "'" + text : text;
        return safe.AsSpan().IndexOfAny(",\"\r\n") < 0 ? safe : '"' + safe.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';
    }

    /// <summary>A number that reads back as the same number; empty where there is none.</summary>
    public static string Field(double? value) => value is { } number && double.IsFinite(number) ? number.ToString("R", CultureInfo.InvariantCulture) : "";

    /// <summary>A whole number.</summary>
    public static string Field(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>One line of fields, ended by a line feed.</summary>
    public static string Line(params ReadOnlySpan<string> fields) => string.Join(',', fields.ToArray()) + '\n';
}
