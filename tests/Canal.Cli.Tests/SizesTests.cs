using Canal.Cli.Terminal;

namespace Canal.Cli.Tests;

public class SizesTests
{
    [Theory]
    [InlineData("500M", 500L << 20)]
    [InlineData("4G", 4L << 30)]
    [InlineData("1.5GiB", 3L << 29)]
    [InlineData("4096", 4096)]
    public void ReadsBinaryUnits(string text, long bytes) => Assert.Equal(bytes, Sizes.Parse(text, "--memory-limit"));

    [Theory]
    [InlineData("")]
    [InlineData("-1G")]
    [InlineData("4X")]
    [InlineData("0")]
    [InlineData("1e9G")]
    [InlineData("99999999T")]
    public void RefusesWhatIsNoSize(string text) => Assert.Throws<UserException>(() => Sizes.Parse(text, "--memory-limit"));
}
