using System.Globalization;
using System.Text.RegularExpressions;

namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>Reads what <c>--ptxas-options=-v</c> writes into the log of a compilation.</summary>
public static partial class ResourceLog
{
    /// <summary>The resources of each kernel in a log, in the log's order.</summary>
    /// <exception cref="FormatException">A kernel is announced whose resources do not follow: the compiler's words have changed.</exception>
    public static IReadOnlyList<KernelResources> Parse(string log)
    {
        ArgumentNullException.ThrowIfNull(log);
        var kernels = new List<KernelResources>();
        var entries = Entry().Matches(log);
        for (var i = 0; i < entries.Count; i++)
        {
            var name = entries[i].Groups[1].Value;
            var text = log[entries[i].Index..(i + 1 < entries.Count ? entries[i + 1].Index : log.Length)];
            // Functions that were not inlined have properties of their own; the kernel's stand under its name.
            var properties = Properties().Matches(text).FirstOrDefault(match => match.Groups[1].Value == name);
            var used = Used().Match(text);
            if (properties is null || !used.Success) throw new FormatException($"The assembler's log tells no resources of kernel {name}:{Environment.NewLine}{text}");
            var shared = Shared().Match(used.Value);
            kernels.Add(new KernelResources(
                name, Number(used.Groups[1]), shared.Success ? Number(shared.Groups[1]) : 0, Number(properties.Groups[2]), Number(properties.Groups[3]), Number(properties.Groups[4])));
        }
        return kernels;
    }

    private static int Number(Group digits) => int.Parse(digits.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Compiling entry function '([^']+)' for")]
    private static partial Regex Entry();

    [GeneratedRegex(@"Function properties for (\S+)\s+(?:ptxas\s+\.\s+)?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")]
    private static partial Regex Properties();

    [GeneratedRegex(@"Used (\d+) registers[^\r\n]*")]
    private static partial Regex Used();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex Shared();
}
