namespace Canal.Interop.Hdf5;

/// <summary>A dataset: an array of elements, read and written in blocks. Only data that lies in the file itself and needs no plug-in is opened.</summary>
public sealed unsafe partial class Hdf5Dataset : Hdf5Object
{
    private const int MostDimensions = 8;
    private const long LargestChunkBytes = 512L << 20;
    private const long DefaultCacheBytes = 1L << 20;
    private const long LargestCacheBytes = 64L << 20;
    private const long UnquestionedBytes = 64L << 20;

    /// <summary>Deflate cannot shrink by more than 1,032 to 1 (zlib's own documentation): a larger claim is damage or malice.</summary>
    private const long LargestCompression = 1100;

    private static readonly string[] BuiltInFilters = ["", "deflate", "shuffle", "fletcher32", "szip", "nbit", "scaleoffset"];

    private Hdf5Dataset(Hdf5File file, Hdf5Handle handle, string location, Hdf5Type type, IReadOnlyList<long>? dims, IReadOnlyList<long>? chunk)
        : base(file, handle, location)
    {
        Type = type;
        IsNull = dims is null;
        Dims = dims ?? [];
        Chunk = chunk;
        Count = IsNull ? 0 : Dims.Aggregate(1L, (product, length) => checked(product * length));
    }

    /// <summary>Type of the stored elements.</summary>
    public Hdf5Type Type { get; }

    /// <summary>Length of each dimension; none for a scalar.</summary>
    public IReadOnlyList<long> Dims { get; private set; }

    /// <summary>Lengths of a chunk; null where the data lies in one piece.</summary>
    public IReadOnlyList<long>? Chunk { get; }

    /// <summary>Whether it holds nothing at all (AnnData's None).</summary>
    public bool IsNull { get; }

    /// <summary>Number of elements.</summary>
    public long Count { get; private set; }

    /// <summary>Reads whole numbers of any stored width; what does not fit 64 bits is clamped.</summary>
    /// <param name="start">First element of a one-dimensional dataset (0 for a scalar).</param>
    /// <param name="into">As many elements as are wanted.</param>
    /// <param name="field">A field of a record, or null.</param>
    public void Read(long start, Span<long> into, Hdf5Field? field = null) => ReadOneDimension(start, into, field);

    /// <summary>Reads numbers of any stored type as float64.</summary>
    public void Read(long start, Span<double> into, Hdf5Field? field = null) => ReadOneDimension(start, into, field);

    /// <summary>Reads booleans as 0 and 1.</summary>
    public void Read(long start, Span<sbyte> into, Hdf5Field? field = null)
    {
        using (Hdf5Library.Enter())
        {
            using var stored = StoredType(field);
            using var record = Record(stored, field, 1);
            using var memory = Select(start, into.Length, out var file);
            using (file)
                fixed (sbyte* buffer = into)
                    if (into.Length > 0) Hdf5Library.Check(NativeMethods.H5Dread(Id, record.Id, memory.Id, file.Id, 0, buffer), $"{Location}: reading");
        }
    }

    /// <summary>Reads texts.</summary>
    public void Read(long start, Span<string> into, Hdf5Field? field = null)
    {
        using (Hdf5Library.Enter())
        {
            using var stored = StoredType(field);
            using var record = Record(stored, field, (int)NativeMethods.H5Tget_size(stored.Id));
            using var memory = Select(start, into.Length, out var file);
            using (file)
                Hdf5Strings.Read(stored, record, memory, into, Location, (buffer, transfer) => NativeMethods.H5Dread(Id, record.Id, memory.Id, file.Id, transfer, (void*)buffer));
        }
    }

    /// <summary>Reads whole rows of a two-dimensional dataset as float64, row-major.</summary>
    public void ReadRows(long first, int rows, Span<double> into)
    {
        if (Dims.Count != 2) throw new Hdf5RefusedException($"{Location}: has {Dims.Count} dimensions, not 2");
        if (first < 0 || rows < 0 || first + rows > Dims[0] || into.Length != rows * Dims[1]) throw new ArgumentOutOfRangeException(nameof(first));
        if (into.Length == 0) return;
        using (Hdf5Library.Enter())
        {
            var isBoolean = Type.Kind == Hdf5Kind.Boolean;
            using var stored = StoredType(null);
            using var file = Hdf5Handle.Own(NativeMethods.H5Dget_space(Id), $"{Location}: reading");
            var start = stackalloc ulong[] { (ulong)first, 0 };
            var count = stackalloc ulong[] { (ulong)rows, (ulong)Dims[1] };
            Hdf5Library.Check(NativeMethods.H5Sselect_hyperslab(file.Id, 0, start, null, count, null), $"{Location}: reading");
            using var memory = Hdf5Handle.Own(NativeMethods.H5Screate_simple(2, count, null), $"{Location}: reading");
            fixed (double* buffer = into)
            {
                // Booleans are an enumeration, which the library does not turn into numbers: they are read into the tail and widened forwards.
                void* target = isBoolean ? (byte*)buffer + (long)into.Length * 7 : buffer;
                var type = isBoolean ? stored.Id : Hdf5Library.NativeDouble;
                Hdf5Library.Check(NativeMethods.H5Dread(Id, type, memory.Id, file.Id, 0, target), $"{Location}: reading");
                if (!isBoolean) return;
                for (long index = 0; index < into.Length; index++) buffer[index] = ((sbyte*)target)[index];
            }
        }
    }

    /// <summary>Dimensions of a space, or null for the empty space.</summary>
    internal static long[]? Extent(Hdf5Handle space, string location)
    {
        if (NativeMethods.H5Sget_simple_extent_type(space.Id) == 2) return null; // H5S_NULL
        var rank = NativeMethods.H5Sget_simple_extent_ndims(space.Id);
        if (rank is < 0 or > MostDimensions) throw new Hdf5RefusedException($"{location}: {rank} dimensions are not accepted");
        var dims = stackalloc ulong[MostDimensions];
        Hdf5Library.Check(NativeMethods.H5Sget_simple_extent_dims(space.Id, dims, null), $"{location}: dimensions");
        var lengths = new long[rank];
        UInt128 elements = 1;
        for (var axis = 0; axis < rank; axis++)
        {
            if (dims[axis] > long.MaxValue >> 8) throw new Hdf5RefusedException($"{location}: a dimension of {dims[axis]} is not accepted");
            lengths[axis] = (long)dims[axis];
            elements *= dims[axis];
            if (elements > long.MaxValue >> 8) throw new Hdf5RefusedException($"{location}: dimensions {string.Join(" x ", lengths)} are not accepted");
        }
        return lengths;
    }

    internal static Hdf5Handle BooleanType()
    {
        var type = Hdf5Handle.Own(NativeMethods.H5Tenum_create(Hdf5Library.NativeInt8), "boolean type");
        sbyte no = 0, yes = 1;
        Hdf5Library.Check(NativeMethods.H5Tenum_insert(type.Id, "FALSE", &no), "boolean type");
        Hdf5Library.Check(NativeMethods.H5Tenum_insert(type.Id, "TRUE", &yes), "boolean type");
        return type;
    }

    private void ReadOneDimension<T>(long start, Span<T> into, Hdf5Field? field) where T : unmanaged
    {
        var kind = (field?.Type ?? Type).Kind;
        if (kind is not (Hdf5Kind.Integer or Hdf5Kind.Float)) throw new Hdf5RefusedException($"{Location}: holds {field?.Type ?? Type}, not numbers");
        using (Hdf5Library.Enter())
        {
            using var native = Hdf5Handle.Own(NativeMethods.H5Tcopy(Hdf5Library.Native<T>()), "type");
            using var record = Record(native, field, sizeof(T));
            using var memory = Select(start, into.Length, out var file);
            using (file)
                fixed (T* buffer = into)
                    if (into.Length > 0) Hdf5Library.Check(NativeMethods.H5Dread(Id, record.Id, memory.Id, file.Id, 0, buffer), $"{Location}: reading");
        }
    }

    internal Hdf5Handle StoredType(Hdf5Field? field)
    {
        var whole = Hdf5Handle.Own(NativeMethods.H5Dget_type(Id), $"{Location}: type");
        if (field is null) return whole;
        using (whole) return Hdf5Handle.Own(NativeMethods.H5Tget_member_type(whole.Id, (uint)field.Index), $"{Location}: field {field.Name}");
    }

    /// <summary>The memory type: the element's, or a record of the one field wanted.</summary>
    private static Hdf5Handle Record(Hdf5Handle element, Hdf5Field? field, int size)
    {
        if (field is null) return Hdf5Handle.Own(NativeMethods.H5Tcopy(element.Id), "type");
        var record = Hdf5Handle.Own(NativeMethods.H5Tcreate(6, (nuint)size), "record type"); // H5T_COMPOUND
        Hdf5Library.Check(NativeMethods.H5Tinsert(record.Id, field.Name, 0, element.Id), "record type");
        return record;
    }

    private Hdf5Handle Select(long start, int count, out Hdf5Handle file)
    {
        if (Dims.Count > 1) throw new Hdf5RefusedException($"{Location}: has {Dims.Count} dimensions, not 1");
        if (start < 0 || start + count > Count) throw new ArgumentOutOfRangeException(nameof(start));
        file = Hdf5Handle.Own(NativeMethods.H5Dget_space(Id), $"{Location}: reading");
        ulong from = (ulong)start, length = (ulong)count;
        if (Dims.Count == 1) Hdf5Library.Check(NativeMethods.H5Sselect_hyperslab(file.Id, 0, &from, null, &length, null), $"{Location}: reading");
        return Hdf5Handle.Own(NativeMethods.H5Screate_simple(1, &length, null), $"{Location}: reading");
    }
}
