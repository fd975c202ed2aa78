namespace Canal.Interop.Hdf5;

public sealed unsafe partial class Hdf5Dataset
{
    internal static Hdf5Dataset Created(Hdf5File file, Hdf5Handle handle, string location, long[] dims)
    {
        using var type = Hdf5Handle.Own(NativeMethods.H5Dget_type(handle.Id), location);
        return new Hdf5Dataset(file, handle, location, Hdf5Type.Describe(type, location), dims, null);
    }

    /// <summary>Adds elements to a list made by <see cref="Hdf5Group.CreateGrowing{T}"/>.</summary>
    public void Append<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        if (Dims.Count != 1) throw new InvalidOperationException($"{Location} is not a list.");
        using (Hdf5Library.Enter())
            fixed (T* buffer = values) AppendBlock(Hdf5Library.Native<T>(), buffer, values.Length);
    }

    /// <summary>Adds rows to a matrix made by <see cref="Hdf5Group.CreateGrowingRows"/>.</summary>
    public void AppendRows(ReadOnlySpan<float> rows)
    {
        if (Dims.Count != 2 || rows.Length % Math.Max(1, Dims[1]) != 0) throw new ArgumentException($"{Location}: {rows.Length} values are not whole rows.", nameof(rows));
        if (Dims[1] == 0) return;
        using (Hdf5Library.Enter())
            fixed (float* buffer = rows) AppendBlock(Hdf5Library.NativeFloat, buffer, rows.Length / Dims[1]);
    }

    internal void WriteAll(Hdf5Handle type, void* buffer)
    {
        if (Count > 0) Hdf5Library.Check(NativeMethods.H5Dwrite(Id, type.Id, 0, 0, 0, buffer), $"{Location}: writing");
    }

    internal void ReadField(Hdf5Handle stored, Hdf5Field field, Span<byte> into)
    {
        using var record = Record(stored, field, field.Type.Size);
        fixed (byte* buffer = into)
            if (Count > 0) Hdf5Library.Check(NativeMethods.H5Dread(Id, record.Id, 0, 0, 0, buffer), $"{Location}: reading");
    }

    private void AppendBlock(long type, void* buffer, long rows)
    {
        if (rows == 0) return;
        var attempt = $"{Location}: writing";
        var start = stackalloc ulong[2];
        var count = stackalloc ulong[2];
        var size = stackalloc ulong[2];
        start[0] = (ulong)Dims[0];
        start[1] = 0;
        count[0] = (ulong)rows;
        size[0] = (ulong)(Dims[0] + rows);
        if (Dims.Count == 2) size[1] = count[1] = (ulong)Dims[1];
        Hdf5Library.Check(NativeMethods.H5Dset_extent(Id, size), attempt);
        using var file = Hdf5Handle.Own(NativeMethods.H5Dget_space(Id), attempt);
        Hdf5Library.Check(NativeMethods.H5Sselect_hyperslab(file.Id, 0, start, null, count, null), attempt);
        using var memory = Hdf5Handle.Own(NativeMethods.H5Screate_simple(Dims.Count, count, null), attempt);
        Hdf5Library.Check(NativeMethods.H5Dwrite(Id, type, memory.Id, file.Id, 0, buffer), attempt);
        Dims = [Dims[0] + rows, .. Dims.Skip(1)];
        Count = Dims.Aggregate(1L, (product, length) => product * length);
    }
}
