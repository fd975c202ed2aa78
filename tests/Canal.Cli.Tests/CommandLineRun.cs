namespace Canal.Cli.Tests;

/// <summary>One run of the program inside the test's process: exit code and both outputs.</summary>
internal sealed record CommandLineRun(int Code, string Out, string Error)
{
    public static CommandLineRun Of(params string[] arguments) => Of(CancellationToken.None, arguments);

    public static CommandLineRun Of(CancellationToken stop, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = Program.Run(arguments, new CommandContext(output, error, stop) { Interactive = false });
        return new CommandLineRun(code, output.ToString(), error.ToString());
    }

    /// <summary>Asserts what bad input must lead to: exit code 2, exactly one line, no stack trace, and the words that help.</summary>
    public void AssertRefused(params string[] words)
    {
        Assert.True(Code == ExitCodes.User, $"exit code {Code}, error output: {Error}");
        var lines = Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l.StartsWith("canal: ", StringComparison.Ordinal)).ToArray();
        Assert.True(lines.Length == 1, $"one line was expected: {Error}");
        Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
        foreach (var word in words) Assert.Contains(word, lines[0], StringComparison.OrdinalIgnoreCase);
    }
}
