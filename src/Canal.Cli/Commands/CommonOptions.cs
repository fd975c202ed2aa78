using Canal.Cli.Terminal;
using Canal.Planning;
using CommandLine;

namespace Canal.Cli.Commands;

/// <summary>Options that every command has.</summary>
internal abstract class CommonOptions
{
    [Option("json", HelpText = "Print the result as JSON on standard output.")]
    public bool Json { get; set; }

    [Option("debug", HelpText = "Print a stack trace when something goes wrong.")]
    public bool Debug { get; set; }

    [Option("memory-report", HelpText = "File to write when the command is done: the peaks of the pool and of the process, in bytes (JSON).")]
    public string? MemoryReport { get; set; }

    /// <summary>Most bytes that the device's pool held; null where the command used none.</summary>
    public virtual ulong? PoolPeakBytes => null;

    /// <summary>What --memory-limit leaves; null where there is none, or before the job is known.</summary>
    public MemoryBudget? Budget { get; protected set; }

    /// <summary>Sees to it that a job without a device keeps --memory-limit, or refuses it.</summary>
    /// <param name="context">Whose process it is.</param>
    /// <param name="limit">The option; null for no limit.</param>
    /// <param name="need">What the job takes.</param>
    /// <exception cref="UserException">The limit is too small; the message says which is not.</exception>
    protected void KeepWithinLimit(CommandContext context, string? limit, HostMemory need)
    {
        if (limit is null) return;
        Budget = new MemoryBudget((ulong)Sizes.Parse(limit, "--memory-limit"));
        Budget.Require(need);
        if (context.OwnsProcess) Budget.BoundHeap(0);
    }

    /// <summary>Arguments beyond those that the command takes; any is an error (the parser would pass over them in silence).</summary>
    [Value(100, Hidden = true)]
    public IEnumerable<string> Surplus { get; set; } = [];
}
