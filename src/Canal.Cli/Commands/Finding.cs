namespace Canal.Cli.Commands;

/// <summary>A row of <c>canal doctor</c>: a part of the machine, what was found of it, and what is wrong with it.</summary>
/// <param name="Part">The part.</param>
/// <param name="Found">What was found; empty where nothing was.</param>
/// <param name="Verdict">MISSING, NOT USABLE, or empty where all is well.</param>
/// <param name="Trouble">What is wrong and the cure, in one line; empty where all is well.</param>
internal sealed record Finding(string Part, string Found, string Verdict = "", string Trouble = "")
{
    /// <summary>A part that is not there.</summary>
    public static Finding Missing(string part, string trouble) => new(part, "", "MISSING", trouble);

    /// <summary>All on one line, for machines.</summary>
    public string Line => Trouble.Length == 0 ? Found : $"{Cell}: {Trouble}";

    /// <summary>The short form, for the table.</summary>
    public string Cell => Verdict.Length == 0 ? Found : Found.Length == 0 ? Verdict : $"{Found}, {Verdict}";
}
