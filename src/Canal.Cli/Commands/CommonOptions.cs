using CommandLine;

namespace Canal.Cli.Commands;

/// <summary>Options that every command has.</summary>
internal abstract class CommonOptions
{
    [Option("json", HelpText = "Print the result as JSON on standard output.")]
    public bool Json { get; set; }

    [Option("debug", HelpText = "Print a stack trace when something goes wrong.")]
    public bool Debug { get; set; }

    /// <summary>Arguments beyond those that the command takes; any is an error (the parser would pass over them in silence).</summary>
    [Value(100, Hidden = true)]
    public IEnumerable<string> Surplus { get; set; } = [];
}
