using System.Globalization;
using System.Text.RegularExpressions;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>Most threads of a block of each kernel, as <c>__launch_bounds__</c> promised them to the compiler, from the PTX.</summary>
internal static partial class LaunchBounds
{
    /// <summary>Threads by kernel; a kernel without bounds has 0.</summary>
    public static Dictionary<string, int> Of(string ptx) => Entry().Matches(ptx).ToDictionary(
        entry => entry.Groups[1].Value,
        entry => entry.Groups[2].Success ? Number(entry.Groups[2]) * Number(entry.Groups[3]) * Number(entry.Groups[4]) : 0);

    private static int Number(Group digits) => int.Parse(digits.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\.entry\s+(\w+)\s*\([^)]*\)\s*(?:\.maxntid\s+(\d+),\s*(\d+),\s*(\d+))?")]
    private static partial Regex Entry();
}
