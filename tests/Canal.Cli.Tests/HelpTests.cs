using System.Reflection;
using Canal.Cli.Commands;
using CommandLine;

namespace Canal.Cli.Tests;

public class HelpTests
{
    public static TheoryData<string> Verbs => [.. CommandList.Verbs.Select(v => v.GetCustomAttribute<VerbAttribute>()!.Name)];

    [Theory, MemberData(nameof(Verbs))]
    public void EveryCommandShowsItsOptionsAndAnExample(string verb)
    {
        var run = CommandLineRun.Of(verb, "--help");

        Assert.Equal(ExitCodes.Done, run.Code);
        Assert.Contains("USAGE:", run.Out, StringComparison.Ordinal);
        Assert.Contains("canal " + verb, run.Out, StringComparison.Ordinal);
        Assert.Contains("--json", run.Out, StringComparison.Ordinal);
        Assert.Empty(run.Error);
    }

    [Fact]
    public void TheOverviewListsEveryCommand()
    {
        var run = CommandLineRun.Of("--help");

        Assert.Equal(ExitCodes.Done, run.Code);
        foreach (var verb in CommandList.Verbs) Assert.Contains("canal " + verb.GetCustomAttribute<VerbAttribute>()!.Name, run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryCommandIsInTheReadme()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Canal.sln"))) folder = Path.GetDirectoryName(folder)!;
        var readme = File.ReadAllText(Path.Combine(folder, "README.md"));
        foreach (var verb in CommandList.Verbs) Assert.Contains("canal " + verb.GetCustomAttribute<VerbAttribute>()!.Name, readme, StringComparison.Ordinal);
    }

    [Fact]
    public void NoCommandIsAUsersErrorThatShowsTheOverview() => Assert.Equal(ExitCodes.User, CommandLineRun.Of().Code);

    [Fact]
    public void AnUnknownCommandIsRefused() => CommandLineRun.Of("anotate").AssertRefused("anotate", "--help");

    [Fact]
    public void AnUnknownOptionIsRefused() => CommandLineRun.Of("doctor", "--colour").AssertRefused("colour", "--help");

    [Fact]
    public void TheVersionIsPrinted() => Assert.StartsWith("canal ", CommandLineRun.Of("--version").Out, StringComparison.Ordinal);
}
