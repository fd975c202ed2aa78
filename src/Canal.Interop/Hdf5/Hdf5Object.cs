namespace Canal.Interop.Hdf5;

/// <summary>A group or a dataset of an open file, with its attributes.</summary>
public abstract unsafe class Hdf5Object : IDisposable
{
    private const int MostAttributeElements = 1 << 20;

    private protected Hdf5Object(Hdf5File file, Hdf5Handle handle, string location)
    {
        File = file;
        Handle = handle;
        Location = location;
    }

    /// <summary>Where the object lies in its file: <c>X/data</c>; <c>/</c> for the root.</summary>
    public string Location { get; }

    /// <summary>The file it belongs to.</summary>
    public Hdf5File File { get; }

    private protected Hdf5Handle Handle { get; set; }

    internal long Id => Handle.Id;

    /// <summary>Closes the object.</summary>
    public void Dispose()
    {
        Handle.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Whether there is such an attribute.</summary>
    public bool HasAttribute(string name)
    {
        using (Hdf5Library.Enter())
        {
            var found = NativeMethods.H5Aexists(Id, name);
            Hdf5Library.Check(found, $"{Location}: attribute {name}");
            return found > 0;
        }
    }

    /// <summary>Texts of an attribute: one for a scalar, all for an array, none for an empty array of any type (AnnData writes an empty list as numbers). Null where there is none or it holds no text.</summary>
    public IReadOnlyList<string>? ReadAttributeStrings(string name)
    {
        using (Hdf5Library.Enter())
        {
            using var attribute = OpenAttribute(name);
            if (attribute is null) return null;
            using var type = Hdf5Handle.Own(NativeMethods.H5Aget_type(attribute.Id), $"{Location}: attribute {name}");
            using var space = Hdf5Handle.Own(NativeMethods.H5Aget_space(attribute.Id), $"{Location}: attribute {name}");
            var count = CountAttribute(space, name);
            if (count == 0) return [];
            if (Hdf5Type.Describe(type, Location).Kind != Hdf5Kind.String) return null;
            var texts = new string[count];
            if (NativeMethods.H5Tis_variable_str(type.Id) > 0 || NativeMethods.H5Tget_size(type.Id) <= Hdf5Strings.LongestBytes)
                Hdf5Strings.ReadAttribute(type, space, texts, $"{Location}: attribute {name}", buffer => NativeMethods.H5Aread(attribute.Id, type.Id, (void*)buffer));
            return texts;
        }
    }

    /// <summary>The text of a scalar attribute, or null.</summary>
    public string? ReadAttributeString(string name) => ReadAttributeStrings(name) is [var text, ..] ? text : null;

    /// <summary>Whole numbers of an attribute, or null where there is none or it holds something else.</summary>
    public IReadOnlyList<long>? ReadAttributeIntegers(string name)
    {
        using (Hdf5Library.Enter())
        {
            using var attribute = OpenAttribute(name);
            if (attribute is null) return null;
            using var type = Hdf5Handle.Own(NativeMethods.H5Aget_type(attribute.Id), $"{Location}: attribute {name}");
            using var space = Hdf5Handle.Own(NativeMethods.H5Aget_space(attribute.Id), $"{Location}: attribute {name}");
            if (Hdf5Type.Describe(type, Location).Kind != Hdf5Kind.Integer) return null;
            var numbers = new long[CountAttribute(space, name)];
            fixed (long* buffer = numbers)
                if (numbers.Length > 0) Hdf5Library.Check(NativeMethods.H5Aread(attribute.Id, Hdf5Library.NativeInt64, buffer), $"{Location}: attribute {name}");
            return numbers;
        }
    }

    /// <summary>Writes a scalar text attribute, replacing one of that name.</summary>
    public void WriteAttribute(string name, string text) => WriteTextAttribute(name, [text], scalar: true);

    /// <summary>Writes an attribute that is a list of texts, replacing one of that name.</summary>
    public void WriteAttribute(string name, IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Count == 0) WriteAttribute(name, Array.Empty<double>()); // as AnnData itself does
        else WriteTextAttribute(name, texts, scalar: false);
    }

    /// <summary>Writes a scalar boolean attribute as h5py does, replacing one of that name.</summary>
    public void WriteAttribute(string name, bool value)
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Dataset.BooleanType();
            using var space = Hdf5Handle.Own(NativeMethods.H5Screate(0), "scalar");
            var stored = (sbyte)(value ? 1 : 0);
            Put(name, type, space, &stored);
        }
    }

    /// <summary>Writes an attribute that is a list of numbers, replacing one of that name.</summary>
    public void WriteAttribute<T>(string name, T[] values) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(values);
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Handle.Own(NativeMethods.H5Tcopy(Hdf5Library.Native<T>()), "type");
            var length = (ulong)values.Length;
            using var space = Hdf5Handle.Own(NativeMethods.H5Screate_simple(1, &length, null), "list");
            fixed (T* buffer = values) Put(name, type, space, buffer);
        }
    }

    private void WriteTextAttribute(string name, IReadOnlyList<string> texts, bool scalar)
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Strings.VariableType();
            var length = (ulong)texts.Count;
            using var space = Hdf5Handle.Own(scalar ? NativeMethods.H5Screate(0) : NativeMethods.H5Screate_simple(1, &length, null), "text");
            Hdf5Strings.Encode(texts, buffer => Put(name, type, space, (void*)buffer));
        }
    }

    private void Put(string name, Hdf5Handle type, Hdf5Handle space, void* buffer)
    {
        var attempt = $"{Location}: writing attribute {name}";
        if (NativeMethods.H5Aexists(Id, name) > 0) Hdf5Library.Check(NativeMethods.H5Adelete(Id, name), attempt);
        using var attribute = Hdf5Handle.Own(NativeMethods.H5Acreate2(Id, name, type.Id, space.Id, 0, 0), attempt);
        if (buffer != null) Hdf5Library.Check(NativeMethods.H5Awrite(attribute.Id, type.Id, buffer), attempt);
    }

    private Hdf5Handle? OpenAttribute(string name)
    {
        var found = NativeMethods.H5Aexists(Id, name);
        Hdf5Library.Check(found, $"{Location}: attribute {name}");
        return found == 0 ? null : Hdf5Handle.Own(NativeMethods.H5Aopen(Id, name, 0), $"{Location}: attribute {name}");
    }

    private long CountAttribute(Hdf5Handle space, string name)
    {
        var count = Hdf5Dataset.Extent(space, Location) is { } dims ? dims.Aggregate(1L, (product, length) => checked(product * length)) : 0;
        if (count > MostAttributeElements) throw new Hdf5RefusedException($"{Location}: attribute {name} of {count} elements is not accepted");
        return count;
    }
}
