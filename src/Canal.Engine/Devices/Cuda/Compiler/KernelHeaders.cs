using System.Text.RegularExpressions;

namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>The files that a program includes, directly or through others.</summary>
internal static partial class KernelHeaders
{
    /// <summary>Name and text of every included file, by name in ordinal order. A name that is not among <paramref name="files"/> is left to the compiler, which says where it is missed.</summary>
    /// <param name="source">The program's source.</param>
    /// <param name="files">All files there are.</param>
    public static SortedDictionary<string, string> Of(string source, IReadOnlyDictionary<string, string> files)
    {
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var open = new Stack<string>([source]);
        while (open.TryPop(out var text))
        {
            foreach (var name in Include().Matches(text).Select(match => match.Groups[1].Value))
            {
                if (files.TryGetValue(name, out var included) && found.TryAdd(name, included)) open.Push(included);
            }
        }
        return found;
    }

    [GeneratedRegex("""^[ \t]*#[ \t]*include[ \t]*"([^"]+)""", RegexOptions.Multiline)]
    private static partial Regex Include();
}
