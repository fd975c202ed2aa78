using System.Text;

namespace Canal.Cli.Terminal;

/// <summary>Text that came from files, made safe for a terminal: no control characters, no line breaks.</summary>
internal static class SafeText
{
    /// <summary>The text on one line, control characters (escape sequences among them) removed.</summary>
    public static string OneLine(string text)
    {
        var builder = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            if (character is '\n' or '\r' or '\t') builder.Append(' ');
            else if (!char.IsControl(character) && character is not ('\u2028' or '\u2029' or (>= '\u202A' and <= '\u202E'))) builder.Append(character);
        }
        return builder.ToString().Trim();
    }
}
