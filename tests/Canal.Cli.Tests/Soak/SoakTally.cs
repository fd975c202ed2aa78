using System.Globalization;
using System.Text;

namespace Canal.Cli.Tests.Soak;

/// <summary>What a program was about when it was killed.</summary>
internal enum KillPhase
{
    /// <summary>Starting, reading its inputs.</summary>
    Reading,

    /// <summary>Training, testing, labelling.</summary>
    Computing,

    /// <summary>Writing a training state.</summary>
    State,

    /// <summary>Writing an output.</summary>
    Output,

    /// <summary>Removing what it no longer needs.</summary>
    Tidying,
}

/// <summary>What became of one command.</summary>
internal sealed class SoakTally(string name)
{
    /// <summary>What the table calls the command.</summary>
    public string Name => name;

    /// <summary>Kills by what the program was about.</summary>
    public int[] Phases { get; } = new int[Enum.GetValues<KillPhase>().Length];

    /// <summary>Kills.</summary>
    public int Kills => Phases.Sum();

    /// <summary>Of these, with a rename next.</summary>
    public int AtRename { get; set; }

    /// <summary>Of these, in the middle of a write.</summary>
    public int InWrite { get; set; }

    /// <summary>Of these, of a run that had been killed before.</summary>
    public int OfResumed { get; set; }

    /// <summary>Starts that went on from a state.</summary>
    public int Resumed { get; set; }

    /// <summary>Runs that came to their end with the files of an unbroken one and nothing left over.</summary>
    public int Equal { get; set; }

    /// <summary>Lines for people.</summary>
    public static string Table(IReadOnlyCollection<SoakTally> tallies)
    {
        string[] head = ["command", "kills", "reading", "computing", "state", "output", "tidying", "at a rename", "in a write", "killed again", "resumed", "files equal"];
        var rows = new List<string[]> { head };
        rows.AddRange(tallies.Select(t => Row(t.Name, Values(t))));
        rows.Add(Row("all", [.. Enumerable.Range(0, head.Length - 1).Select(column => tallies.Sum(t => Values(t)[column]))]));
        var widths = Enumerable.Range(0, head.Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            text.AppendLine(string.Join("  ", row.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]))).TrimEnd());
        }
        return text.ToString();
    }

    private static string[] Row(string name, int[] values) => [name, .. values.Select(v => v.ToString(CultureInfo.InvariantCulture))];

    private static int[] Values(SoakTally tally) => [tally.Kills, .. tally.Phases, tally.AtRename, tally.InWrite, tally.OfResumed, tally.Resumed, tally.Equal];
}
