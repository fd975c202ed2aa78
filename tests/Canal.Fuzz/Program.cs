using System.Globalization;
using Canal.Data.H5ad.Isolation;

namespace Canal.Fuzz;

/// <summary>Runs the program on damaged and hostile files: <c>canal-fuzz [--inputs N] [--seed S] [--only INDEX] [--jobs J] [--keep FOLDER] [--program PATH]</c>.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        if (arguments is [ReaderCommand.Verb, .. var limits]) return ReaderServer.Run(limits);
        if (arguments is [Worker.Verb]) return Worker.Run(ReaderCommand.OfThisProgram(arguments));
        var own = ReaderCommand.OfThisProgram(arguments);
        if (own is null)
        {
            Console.Error.WriteLine("fuzz: this system does not tell how a program was started");
            return 3;
        }
        var settings = new FuzzSettings
        {
            Inputs = (int)Number(arguments, "--inputs", 10_000),
            Seed = (int)Number(arguments, "--seed", (uint)Environment.TickCount64 % 1_000_000),
            Only = (int)Number(arguments, "--only", -1),
            Jobs = (int)Number(arguments, "--jobs", Environment.ProcessorCount),
            Keep = Path.GetFullPath(Text(arguments, "--keep") ?? "bin/fuzz"),
            Worker = (own.Program, [.. own.Arguments.SkipLast(1), Worker.Verb]),
            Program = Text(arguments, "--program") is { } program ? (Path.GetFullPath(program), []) : null,
        };
        return new FuzzRun(settings, Console.Out).Run() ? 0 : 1;
    }

    private static string? Text(string[] arguments, string name) => Array.IndexOf(arguments, name) is >= 0 and var at && at + 1 < arguments.Length ? arguments[at + 1] : null;

    private static long Number(string[] arguments, string name, long fallback) => Text(arguments, name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : fallback;
}
