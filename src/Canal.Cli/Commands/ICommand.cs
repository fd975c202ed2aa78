namespace Canal.Cli.Commands;

/// <summary>One verb of the command line; its options are the class's properties.</summary>
internal interface ICommand
{
    /// <summary>Runs the command and returns its exit code; throws for everything that goes wrong.</summary>
    int Run(CommandContext context);
}
