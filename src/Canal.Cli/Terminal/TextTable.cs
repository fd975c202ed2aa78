using Spectre.Console;

namespace Canal.Cli.Terminal;

/// <summary>Tables for people: aligned, without colours, the same on a terminal and in a file.</summary>
internal static class TextTable
{
    /// <summary>Writes a table; columns whose every cell is a number, a percentage or empty are aligned to the right.</summary>
    public static void Write(TextWriter output, IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows, string? title = null)
    {
        var cells = rows.Select(row => row.Select(SafeText.OneLine).ToArray()).ToList();
        var table = new Table { Border = TableBorder.Simple, UseSafeBorder = true };
        if (title is not null) output.WriteLine(SafeText.OneLine(title));
        for (var column = 0; column < header.Count; column++)
        {
            var numeric = cells.Count > 0 && cells.All(row => column >= row.Length || IsNumeric(row[column]));
            table.AddColumn(new TableColumn(Markup.Escape(SafeText.OneLine(header[column]))) { Alignment = numeric ? Justify.Right : Justify.Left, NoWrap = true });
        }
        foreach (var row in cells) table.AddRow(row.Select(Markup.Escape).ToArray());
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = 400;
        console.Write(table);
    }

    private static bool IsNumeric(string text) =>
        text.Length == 0 || text is "-" or "n/a" || text.All(c => char.IsAsciiDigit(c) || c is '.' or ',' or '-' or '+' or '%' or 'e' or 'E' or ' ' or '(' or ')');
}
