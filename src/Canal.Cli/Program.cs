using System.Text.Json;
using Canal.Benchmarks;
using Canal.Cli.Commands;
using Canal.Cli.Terminal;
using Canal.Data.H5ad.Isolation;
using CommandLine;

namespace Canal.Cli;

/// <summary>Entry point of <c>canal</c>: parses the command line, runs one command, turns exceptions into one line and an exit code.</summary>
internal static class Program
{
    private static readonly Type[] Verbs = CommandList.Verbs;

    private static int Main(string[] arguments)
    {
        if (arguments is [ReaderCommand.Verb, .. var limits]) return ReaderServer.Run(limits);
        ReaderCommand.Use(ReaderCommand.OfThisProgram(arguments));
        using var interrupt = new Interrupt();
        return Run(arguments, new CommandContext(Console.Out, Console.Error, interrupt.Token) { OwnsProcess = true });
    }

    private static int RunCommand(ICommand command, CommandContext context)
    {
        if (command is CommonOptions { Surplus: var surplus } && surplus.FirstOrDefault() is { } extra)
        {
            throw new UserException($"'{extra}' is one argument too many; canal COMMAND --help shows what it takes");
        }
        int code;
        try
        {
            code = command.Run(context);
        }
        catch (Exception exhausted) when (exhausted is OutOfMemoryException or InsufficientMemoryException && command is CommonOptions { Budget: not null })
        {
            // What was planned did not hold; a quarter more than the limit leaves room for what was not foreseen.
            var budget = ((CommonOptions)command).Budget!;
            throw budget.TooSmall(budget.Limit + (budget.Limit / 4));
        }
        if (command is CommonOptions { MemoryReport: { } report } options) WriteMemory(report, options.PoolPeakBytes);
        return code;
    }

    private static void WriteMemory(string path, ulong? pool) => AtomicFile.Write(
        UserPath.Full(path, "the memory report"), stream => JsonSerializer.Serialize(stream, new { PoolPeakBytes = pool, ProcessPeakBytes = Math.Max(ProcessMemory.PeakBytes() ?? 0, ReaderMemory.PeakBytes) }, JsonOutput.Options));

    /// <summary>Runs one command line; never throws.</summary>
    internal static int Run(string[] arguments, CommandContext context)
    {
        var debug = arguments.Contains("--debug");
        arguments = Help.Normalise(arguments);
        try
        {
            using var parser = new Parser(settings =>
            {
                settings.HelpWriter = null;
                settings.CaseInsensitiveEnumValues = true;
                settings.ParsingCulture = System.Globalization.CultureInfo.InvariantCulture;
                settings.AutoHelp = true;
                settings.AutoVersion = true;
            });
            var parsed = parser.ParseArguments(arguments, Verbs);
            return parsed.MapResult(
                command => RunCommand((ICommand)command, context),
                errors => Help.Answer(parsed, errors.ToArray(), arguments, context));
        }
        catch (Exception exception)
        {
            return ExitCodes.Report(exception, debug, context);
        }
    }
}
