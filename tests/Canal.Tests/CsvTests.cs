namespace Canal.Tests;

public sealed class CsvTests
{
    [Theory]
    [InlineData("CD4+ T", "CD4+ T")]
    [InlineData("", "")]
    [InlineData("a,b", "\"a,b\"")]
    [InlineData("say \"a\"", "\"say \"\"a\"\"\"")]
    [InlineData("a\nb", "\"a\nb\"")]
    [InlineData("=1+1", "'=1+1")]
    [InlineData("+1", "'+1")]
    [InlineData("-1", "'-1")]
    [InlineData("@x", "'@x")]
    [InlineData("\tx", "'\tx")]
    [InlineData("=\"a\",1", "\"'=\"\"a\"\",1\"")]
    public void Text_is_quoted_and_never_a_formula(string text, string expected) => Assert.Equal(expected, Csv.Field(text));

    [Fact]
    public void Numbers_read_back_as_they_were_and_none_is_empty()
    {
        Assert.Equal(0.1 + 0.2, double.Parse(Csv.Field(0.1 + 0.2), System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal("-0.25", Csv.Field(-0.25));
        Assert.Equal("", Csv.Field((double?)null));
        Assert.Equal("", Csv.Field(double.NaN));
        Assert.Equal("a,b\n", Csv.Line("a", "b"));
    }
}
