namespace Canal.Interop.Hdf5;

public sealed unsafe partial class Hdf5Group
{
    private const uint DeflateLevel = 4;
    private const long ChunkBytes = 256 << 10;

    /// <summary>Writes a whole array of numbers (sbyte, short, int, long, float or double).</summary>
    /// <param name="name">Name of the new dataset.</param>
    /// <param name="values">The elements, row-major.</param>
    /// <param name="compress">Whether to store it in compressed chunks.</param>
    /// <returns>The dataset, for its attributes.</returns>
    public Hdf5Dataset Write<T>(string name, ReadOnlySpan<T> values, bool compress = true) where T : unmanaged
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Handle.Own(NativeMethods.H5Tcopy(Hdf5Library.Native<T>()), "type");
            var created = Create(name, type, [values.Length], [values.Length], compress);
            fixed (T* buffer = values) created.WriteAll(type, buffer);
            return created;
        }
    }

    /// <summary>Writes one number as a scalar.</summary>
    public Hdf5Dataset WriteScalar<T>(string name, T value) where T : unmanaged
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Handle.Own(NativeMethods.H5Tcopy(Hdf5Library.Native<T>()), "type");
            var created = Create(name, type, [], [], compress: false);
            created.WriteAll(type, &value);
            return created;
        }
    }

    /// <summary>Writes booleans in h5py's form.</summary>
    public Hdf5Dataset Write(string name, ReadOnlySpan<bool> values)
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Dataset.BooleanType();
            var created = Create(name, type, [values.Length], [values.Length], compress: true);
            fixed (bool* buffer = values) created.WriteAll(type, buffer); // a byte of 0 or 1 each
            return created;
        }
    }

    /// <summary>Writes one boolean as a scalar in h5py's form.</summary>
    public Hdf5Dataset WriteScalar(string name, bool value)
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Dataset.BooleanType();
            var created = Create(name, type, [], [], compress: false);
            created.WriteAll(type, &value);
            return created;
        }
    }

    /// <summary>Writes texts as UTF-8 of variable length.</summary>
    public Hdf5Dataset Write(string name, IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return WriteTexts(name, texts, [texts.Count]);
    }

    /// <summary>Writes one text as a scalar.</summary>
    public Hdf5Dataset WriteScalar(string name, string text) => WriteTexts(name, [text], []);

    /// <summary>Creates an empty list of numbers that grows by <see cref="Hdf5Dataset.Append{T}"/>, in compressed chunks.</summary>
    public Hdf5Dataset CreateGrowing<T>(string name) where T : unmanaged
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Handle.Own(NativeMethods.H5Tcopy(Hdf5Library.Native<T>()), "type");
            return Create(name, type, [0], [-1], compress: true);
        }
    }

    /// <summary>Creates a matrix of float32 that grows by <see cref="Hdf5Dataset.AppendRows"/>, in compressed chunks.</summary>
    public Hdf5Dataset CreateGrowingRows(string name, int columns)
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Handle.Own(NativeMethods.H5Tcopy(Hdf5Library.NativeFloat), "type");
            return Create(name, type, [0, columns], [-1, columns], compress: columns > 0);
        }
    }

    /// <summary>Writes one field of a table of records as a dataset of its own: fields that are arrays become rows, texts become UTF-8 of variable length, everything else keeps its type.</summary>
    public Hdf5Dataset WriteField(string name, Hdf5Dataset records, Hdf5Field field)
    {
        ArgumentNullException.ThrowIfNull(records);
        ArgumentNullException.ThrowIfNull(field);
        if (field.Type.Kind == Hdf5Kind.String)
        {
            var texts = new string[records.Count];
            records.Read(0, texts, field);
            return Write(name, texts);
        }
        using (Hdf5Library.Enter())
        {
            using var stored = records.StoredType(field);
            var isArray = NativeMethods.H5Tget_class(stored.Id) == 10; // H5T_ARRAY
            using var element = isArray ? Hdf5Handle.Own(NativeMethods.H5Tget_super(stored.Id), "type") : Hdf5Handle.Own(NativeMethods.H5Tcopy(stored.Id), "type");
            if (NativeMethods.H5Tget_class(element.Id) is not (0 or 1 or 8)) throw new Hdf5RefusedException($"{records.Location}: field {field.Name} holds {field.Type}, which cannot be carried over; write the file again with a newer AnnData");
            List<long> dims = [records.Count];
            if (isArray)
            {
                var rank = NativeMethods.H5Tget_array_ndims(stored.Id);
                if (rank is < 1 or > 3) throw new Hdf5RefusedException($"{records.Location}: field {field.Name} has {rank} dimensions");
                var lengths = stackalloc ulong[3];
                Hdf5Library.Check(NativeMethods.H5Tget_array_dims2(stored.Id, lengths), "array type");
                for (var axis = 0; axis < rank; axis++) dims.Add((long)lengths[axis]);
            }
            var bytes = new byte[records.Count * field.Type.Size];
            records.ReadField(stored, field, bytes);
            var created = Create(name, element, [.. dims], [.. dims], compress: true);
            fixed (byte* buffer = bytes) created.WriteAll(element, buffer);
            return created;
        }
    }

    private Hdf5Dataset WriteTexts(string name, IReadOnlyList<string> texts, long[] dims)
    {
        using (Hdf5Library.Enter())
        {
            using var type = Hdf5Strings.VariableType();
            var created = Create(name, type, dims, dims, compress: false);
            Hdf5Strings.Encode(texts, buffer => created.WriteAll(type, (void*)buffer));
            return created;
        }
    }

    private Hdf5Dataset Create(string name, Hdf5Handle type, long[] dims, long[] limits, bool compress)
    {
        var attempt = $"{Under(RequireName(name))}: creating";
        var extent = dims.Select(length => (ulong)length).ToArray();
        var limit = limits.Select(length => length < 0 ? ulong.MaxValue : (ulong)length).ToArray(); // H5S_UNLIMITED
        using var properties = Hdf5Handle.Own(NativeMethods.H5Pcreate(Hdf5Library.Global("H5P_CLS_DATASET_CREATE_ID_g")), attempt);
        // As h5py does: without a time in it, the same content is the same bytes.
        Hdf5Library.Check(NativeMethods.H5Pset_obj_track_times(properties.Id, 0), attempt);
        var grows = limits.Contains(-1);
        if (grows || (compress && dims.All(length => length > 0) && dims.Length > 0))
        {
            var chunk = ChunkFor(dims, (long)NativeMethods.H5Tget_size(type.Id), grows);
            fixed (ulong* lengths = chunk) Hdf5Library.Check(NativeMethods.H5Pset_chunk(properties.Id, chunk.Length, lengths), attempt);
            if (compress)
            {
                Hdf5Library.Check(NativeMethods.H5Pset_shuffle(properties.Id), attempt);
                Hdf5Library.Check(NativeMethods.H5Pset_deflate(properties.Id, DeflateLevel), attempt);
            }
        }
        fixed (ulong* lengths = extent, most = limit)
        {
            using var space = Hdf5Handle.Own(dims.Length == 0 ? NativeMethods.H5Screate(0) : NativeMethods.H5Screate_simple(dims.Length, lengths, most), attempt);
            var handle = Hdf5Handle.Own(NativeMethods.H5Dcreate2(Id, name, type.Id, space.Id, 0, properties.Id, 0), attempt);
            return Hdf5Dataset.Created(File, handle, Under(name), dims);
        }
    }

    /// <summary>Whole rows up to a quarter of a mebibyte, at least one.</summary>
    private static ulong[] ChunkFor(long[] dims, long elementBytes, bool grows)
    {
        var rowBytes = elementBytes;
        for (var axis = 1; axis < dims.Length; axis++) rowBytes *= Math.Max(1, dims[axis]);
        var rows = Math.Max(1, ChunkBytes / rowBytes);
        if (!grows) rows = Math.Min(rows, dims[0]);
        return [(ulong)rows, .. dims.Skip(1).Select(length => (ulong)Math.Max(1, length))];
    }
}
