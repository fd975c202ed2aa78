namespace Canal.Cli;

/// <summary>What a command talks to: output, messages, and the request to stop.</summary>
/// <param name="Out">Results (standard output).</param>
/// <param name="Error">Progress and messages (standard error).</param>
/// <param name="Stop">Set by Ctrl-C; long work then leaves something to resume from.</param>
internal sealed record CommandContext(TextWriter Out, TextWriter Error, CancellationToken Stop)
{
    /// <summary>Whether the process runs this command alone, so that its settings (the garbage collector's) may be changed.</summary>
    public bool OwnsProcess { get; init; }

    /// <summary>Whether messages go to a person at a terminal (progress lines may be rewritten in place).</summary>
    public bool Interactive { get; init; } = !Console.IsErrorRedirected;
}
