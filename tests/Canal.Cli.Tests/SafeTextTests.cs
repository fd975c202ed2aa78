using Canal.Cli.Terminal;

namespace Canal.Cli.Tests;

public class SafeTextTests
{
    [Fact]
    public void EscapeSequencesAndLineBreaksDoNotReachTheTerminal() =>
        Assert.Equal("[31mred alert", SafeText.OneLine("\u001b[31mred\nalert\u0007\u202e"));
}
