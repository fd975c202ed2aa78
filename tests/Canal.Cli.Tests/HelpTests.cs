using System.Reflection;
using Canal.Cli.Commands;
using Canal.Testing;
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

    [SkippableFact]
    public void EveryCommandIsInTheReadme()
    {
        Skip.If(Repository.Root is null, "The tests run without their sources, README.md among them.");
        var readme = File.ReadAllText(Path.Combine(Repository.Root!, "README.md"));
        foreach (var verb in CommandList.Verbs) Assert.Contains("canal " + verb.GetCustomAttribute<VerbAttribute>()!.Name, readme, StringComparison.Ordinal);
    }

    [Fact]
    public void NoCommandIsAUsersErrorThatShowsTheOverview() => Assert.Equal(ExitCodes.User, CommandLineRun.Of().Code);

    [Fact]
    public void AnUnknownCommandIsRefused() => CommandLineRun.Of("anotate").AssertRefused("anotate", "--help");

    [Fact]
    public void AnUnknownOptionIsRefused() => CommandLineRun.Of("doctor", "--colour").AssertRefused("colour", "--help");

    [Fact]
    public void AnArgumentTooManyIsRefusedNotPassedOver() => CommandLineRun.Of("inspect", "a.h5ad", "b.h5ad").AssertRefused("b.h5ad", "too many");

    [Fact]
    public void AMissingArgumentIsNamed() => CommandLineRun.Of("learn", "-o", "m.safetensors", "--from-scratch").AssertRefused("DATA", "canal learn --help");

    [Fact]
    public void OptionsOfANewModelAreRefusedBesideAModel() =>
        CommandLineRun.Of("learn", "a.h5ad", "--model", "m.safetensors", "-o", "n.safetensors", "--size", "scbert").AssertRefused("--size", "--from-scratch");

    [Fact]
    public void FromScratchEverythingTrains() =>
        CommandLineRun.Of("learn", "a.h5ad", "--from-scratch", "-o", "n.safetensors", "--trainable", "head").AssertRefused("--trainable head");

    [Theory]
    [InlineData("help", "learn")]
    [InlineData("learn", "-h")]
    [InlineData("learn", "a.h5ad", "-h")]
    public void HelpIsAskedForInOtherWaysToo(params string[] arguments) => Assert.Equal(CommandLineRun.Of("learn", "--help"), CommandLineRun.Of(arguments));

    [Fact]
    public void TheVersionIsPrinted() => Assert.StartsWith("canal ", CommandLineRun.Of("--version").Out, StringComparison.Ordinal);
}
