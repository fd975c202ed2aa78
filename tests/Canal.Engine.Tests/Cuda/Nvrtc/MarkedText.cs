using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Parts of kernels/README.md between markers, which the tests compare with what they find, or write.</summary>
internal static class MarkedText
{
    private const string WriteVariable = "CANAL_WRITE_KERNEL_TABLE";

    /// <summary>Demands that the part between the markers of a name is this text; with the variable set that <c>make kernel-table</c> sets, writes it there.</summary>
    public static void Require(string name, string expected)
    {
        Skip.If(Repository.Root is null, "The tests run without their sources, kernels/README.md among them.");
        var path = Path.Combine(Repository.Root!, "kernels", "README.md");
        var text = File.ReadAllText(path);
        var (start, end) = ($"<!-- {name} -->\n", $"<!-- end of {name} -->");
        var (from, to) = (text.IndexOf(start, StringComparison.Ordinal) + start.Length, text.IndexOf(end, StringComparison.Ordinal));
        Assert.True(from >= start.Length && to >= from, $"{path} has no part between {start.Trim()} and {end}.");
        var committed = text[from..to];
        if (committed == expected) return;
        if (Environment.GetEnvironmentVariable(WriteVariable) == "1")
        {
            File.WriteAllText(path, text[..from] + expected + text[to..]);
            return;
        }
        var (old, now) = (committed.Split('\n'), expected.Split('\n'));
        Assert.Fail($"""
            The {name} in kernels/README.md are not those of the kernels as they are now. Look at what changed; if it is meant, run

                make kernel-table

            and commit kernels/README.md with the kernels. Gone:
            {string.Join('\n', old.Except(now))}
            New:
            {string.Join('\n', now.Except(old))}
            """);
    }
}
