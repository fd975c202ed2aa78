using System.Runtime.InteropServices;

namespace Canal.Interop;

/// <summary>The functions of a loaded library by name, with a list of those it lacks: a table of functions is filled whole and judged once.</summary>
internal sealed class NativeExports(nint library)
{
    private readonly List<string> missing = [];

    /// <summary>Functions that were asked for and are not there.</summary>
    public IReadOnlyList<string> Missing => missing;

    /// <summary>The address of a function that must be there; 0 and a note where it is not.</summary>
    public nint this[string name]
    {
        get
        {
            var address = Optional(name);
            if (address == 0) missing.Add(name);
            return address;
        }
    }

    /// <summary>The address of a function that may be there, otherwise 0.</summary>
    public nint Optional(string name) => NativeLibrary.TryGetExport(library, name, out var address) ? address : 0;
}
