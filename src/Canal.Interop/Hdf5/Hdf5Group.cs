using System.Text;

namespace Canal.Interop.Hdf5;

/// <summary>A group: named children. Links that leave the file are refused; soft links inside it are followed.</summary>
public sealed unsafe partial class Hdf5Group : Hdf5Object
{
    private const int MostSoftLinks = 16;
    private const int MostChildren = 1 << 20;
    private const int LongestName = 4096;

    internal Hdf5Group(Hdf5File file, Hdf5Handle handle, string location) : base(file, handle, location) { }

    /// <summary>Whether there is a child of that name.</summary>
    public bool Has(string name)
    {
        using (Hdf5Library.Enter())
        {
            if (!IsName(name)) return false;
            var found = NativeMethods.H5Lexists(Id, name, 0);
            Hdf5Library.Check(found, Under(name));
            return found > 0;
        }
    }

    /// <summary>Names of the children, in alphabetical order.</summary>
    public IReadOnlyList<string> Names()
    {
        using (Hdf5Library.Enter())
        {
            NativeMethods.GroupInfo info;
            Hdf5Library.Check(NativeMethods.H5Gget_info(Id, &info), $"{Location}: listing");
            if (info.Links > MostChildren) throw new Hdf5RefusedException($"{Location}: {info.Links} entries are not accepted");
            var names = new string[info.Links];
            var buffer = stackalloc byte[LongestName];
            for (var index = 0; index < names.Length; index++)
            {
                var length = NativeMethods.H5Lget_name_by_idx(Id, ".", 0, 0, (ulong)index, buffer, LongestName, 0);
                if (length < 0) throw Hdf5Library.Error($"{Location}: listing");
                if (length >= LongestName) throw new Hdf5RefusedException($"{Location}: a name of {length} bytes is not accepted");
                names[index] = Encoding.UTF8.GetString(buffer, (int)length);
            }
            return names;
        }
    }

    /// <summary>Opens a child: a <see cref="Hdf5Group"/> or a <see cref="Hdf5Dataset"/>.</summary>
    /// <exception cref="Hdf5RefusedException">It leads out of the file, or its contents lie elsewhere or need a plug-in.</exception>
    public Hdf5Object Open(string name)
    {
        using (Hdf5Library.Enter()) return Open(name, MostSoftLinks);
    }

    /// <summary>Opens a child that must be a group.</summary>
    public Hdf5Group OpenGroup(string name) => Expect<Hdf5Group>(Open(name), "a group");

    /// <summary>Opens a child that must be a dataset.</summary>
    public Hdf5Dataset OpenDataset(string name) => Expect<Hdf5Dataset>(Open(name), "a dataset");

    /// <summary>Creates a group.</summary>
    public Hdf5Group CreateGroup(string name)
    {
        using (Hdf5Library.Enter())
            return new Hdf5Group(File, Hdf5Handle.Own(NativeMethods.H5Gcreate2(Id, RequireName(name), 0, 0, 0), $"{Under(name)}: creating"), Under(name));
    }

    /// <summary>Removes a child; what nothing else links to is gone.</summary>
    public void Delete(string name)
    {
        using (Hdf5Library.Enter()) Hdf5Library.Check(NativeMethods.H5Ldelete(Id, RequireName(name), 0), $"{Under(name)}: removing");
    }

    internal string Under(string name) => Location == "/" ? name : $"{Location}/{name}";

    private static T Expect<T>(Hdf5Object opened, string what) where T : Hdf5Object
    {
        if (opened is T expected) return expected;
        opened.Dispose();
        throw new Hdf5RefusedException($"{opened.Location}: is not {what}");
    }

    private Hdf5Object Open(string name, int softLinksLeft)
    {
        var location = Under(name);
        if (!IsName(name)) throw new Hdf5RefusedException($"{Location}: '{name}' is not a name");
        if (SoftLinkTarget(name, location) is { } target) return Follow(target, location, softLinksLeft);
        var handle = Hdf5Handle.Own(NativeMethods.H5Oopen(Id, name, 0), $"{location}: opening");
        try
        {
            return NativeMethods.H5Iget_type(handle.Id) switch
            {
                2 => new Hdf5Group(File, handle, location), // H5I_GROUP
                5 => Hdf5Dataset.Open(this, name, handle, location), // H5I_DATASET
                _ => throw new Hdf5RefusedException($"{location}: is neither a group nor a dataset"),
            };
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Null for a hard link. The library tells the value of soft links; of links of the class that was switched off it tells nothing.</summary>
    private string? SoftLinkTarget(string name, string location)
    {
        var buffer = stackalloc byte[LongestName];
        buffer[0] = 0;
        if (NativeMethods.H5Lget_val(Id, name, buffer, LongestName, 0) < 0)
        {
            _ = NativeMethods.H5Eclear2(0);
            return null;
        }
        var length = new ReadOnlySpan<byte>(buffer, LongestName).IndexOf((byte)0);
        if (length == 0) throw new Hdf5RefusedException($"{location}: links to another file, which is not followed; copy the linked object into the file");
        if (length < 0) throw new Hdf5RefusedException($"{location}: a link of more than {LongestName} bytes is not accepted");
        return Encoding.UTF8.GetString(buffer, length);
    }

    private Hdf5Object Follow(string target, string location, int softLinksLeft)
    {
        if (softLinksLeft == 0) throw new Hdf5RefusedException($"{location}: links lead in a circle");
        var start = target.StartsWith('/') ? File.Root : this;
        var components = target.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (components.Length == 0) throw new Hdf5RefusedException($"{location}: links to the file's root, which is not accepted");
        Hdf5Group at = start;
        try
        {
            foreach (var component in components[..^1])
            {
                var next = Expect<Hdf5Group>(at.Open(component, softLinksLeft - 1), "a group");
                if (at != start) at.Dispose();
                at = next;
            }
            return at.Open(components[^1], softLinksLeft - 1);
        }
        finally
        {
            if (at != start) at.Dispose();
        }
    }

    private static bool IsName(string name) => name.Length > 0 && name != "." && !name.Contains('/', StringComparison.Ordinal) && !name.Contains('\0', StringComparison.Ordinal);

    private static string RequireName(string name) => IsName(name) ? name : throw new ArgumentException($"'{name}' cannot be the name of an object.", nameof(name));
}
