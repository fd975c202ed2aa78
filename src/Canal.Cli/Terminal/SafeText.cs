using System.Text;

namespace Canal.Cli.Terminal;

/// <summary>Text that came from files, made safe for a terminal: no control characters, no line breaks.</summary>
internal static class SafeText
{
    private const int Beginning = 700, End = 300;

    /// <summary>A message on one line that a person can read: of one with a hostile name in it the middle is left out; what and where stand at its start, what to do at its end.</summary>
    public static string Message(string text)
    {
        var line = OneLine(text);
        return line.Length <= Beginning + End ? line : $"{line[..Beginning]} [...] {line[^End..]}";
    }

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
