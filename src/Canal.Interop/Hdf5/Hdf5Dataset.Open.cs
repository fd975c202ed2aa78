using System.Text;

namespace Canal.Interop.Hdf5;

public sealed unsafe partial class Hdf5Dataset
{
    /// <summary>Examines a dataset before anything is read from it: its contents must lie in this file, be decodable without plug-ins, and be as large as it says.</summary>
    internal static Hdf5Dataset Open(Hdf5Group parent, string name, Hdf5Handle handle, string location)
    {
        IReadOnlyList<long>? chunk = null;
        using (var creation = Hdf5Handle.Own(NativeMethods.H5Dget_create_plist(handle.Id), $"{location}: properties"))
        {
            var layout = NativeMethods.H5Pget_layout(creation.Id);
            if (layout == 3) throw new Hdf5RefusedException($"{location}: is a virtual dataset, whose data lie in other files; copy it into a plain file");
            if (NativeMethods.H5Pget_external_count(creation.Id) != 0) throw new Hdf5RefusedException($"{location}: its data lie in another file, which is not followed; copy it into a plain file");
            RefuseForeignFilters(creation, location);
            if (layout == 2) chunk = ReadChunk(creation, location);
        }
        using var typeHandle = Hdf5Handle.Own(NativeMethods.H5Dget_type(handle.Id), $"{location}: type");
        var type = Hdf5Type.Describe(typeHandle, location);
        using var space = Hdf5Handle.Own(NativeMethods.H5Dget_space(handle.Id), $"{location}: dimensions");
        var dims = Extent(space, location);
        RefuseImplausible(handle, dims, type, location);
        var cache = CacheBytes(dims, chunk, type.Size, location);
        if (cache > DefaultCacheBytes)
        {
            // The cache belongs to the first opening of a dataset, so that one must be closed.
            handle.Dispose();
            handle = Reopen(parent, name, cache, location);
        }
        return new Hdf5Dataset(parent.File, handle, location, type, dims, chunk);
    }

    private static void RefuseForeignFilters(Hdf5Handle creation, string location)
    {
        const int nameBytes = 64;
        var filterName = stackalloc byte[nameBytes];
        var filters = NativeMethods.H5Pget_nfilters(creation.Id);
        for (var index = 0; index < filters; index++)
        {
            uint flags, config;
            nuint elements = 0;
            filterName[0] = 0;
            var filter = NativeMethods.H5Pget_filter2(creation.Id, (uint)index, &flags, &elements, null, nameBytes, filterName, &config);
            Hdf5Library.Check(filter, $"{location}: filters");
            var known = filter < BuiltInFilters.Length;
            if (known && NativeMethods.H5Zfilter_avail(filter) > 0) continue;
            filterName[nameBytes - 1] = 0;
            var length = new ReadOnlySpan<byte>(filterName, nameBytes).IndexOf((byte)0);
            var called = known ? BuiltInFilters[filter] : length > 0 ? Encoding.UTF8.GetString(filterName, length) : filter == 32000 ? "lzf" : $"number {filter}";
            throw new Hdf5RefusedException(
                $"{location}: is compressed with the filter {Printable(called)}, which is not read; convert with h5repack -f GZIP=4 IN OUT where that filter is installed, or in Python: anndata.read_h5ad(IN).write_h5ad(OUT, compression='gzip')");
        }
    }

    private static string Printable(string text) => new([.. text.Where(character => !char.IsControl(character))]);

    private static long[] ReadChunk(Hdf5Handle creation, string location)
    {
        var dims = stackalloc ulong[MostDimensions];
        var rank = NativeMethods.H5Pget_chunk(creation.Id, MostDimensions, dims);
        Hdf5Library.Check(rank, $"{location}: chunks");
        if (rank > MostDimensions) throw new Hdf5RefusedException($"{location}: {rank} dimensions are not accepted");
        var chunk = new long[rank];
        for (var axis = 0; axis < rank; axis++) chunk[axis] = (long)dims[axis];
        return chunk;
    }

    private static void RefuseImplausible(Hdf5Handle handle, long[]? dims, Hdf5Type type, string location)
    {
        if (dims is null) return;
        UInt128 claimed = (UInt128)type.Size;
        foreach (var length in dims) claimed *= (UInt128)length;
        if (claimed <= (UInt128)UnquestionedBytes) return;
        var stored = NativeMethods.H5Dget_storage_size(handle.Id);
        if (claimed > (UInt128)stored * LargestCompression)
            throw new Hdf5RefusedException($"{location}: claims {string.Join(" x ", dims)} elements but the file holds only {stored} bytes of them; the file is damaged, fetch or write it again");
    }

    /// <summary>Enough to keep a row of chunks, so that reading forwards decompresses each chunk once.</summary>
    private static long CacheBytes(long[]? dims, IReadOnlyList<long>? chunk, int elementBytes, string location)
    {
        if (dims is null || chunk is null) return 0;
        Int128 chunkBytes = elementBytes;
        foreach (var length in chunk) chunkBytes *= length;
        if (chunkBytes > LargestChunkBytes)
            throw new Hdf5RefusedException($"{location}: chunks of {chunkBytes >> 20} MiB are not read; convert with h5repack -l CHUNK=... or write the file again with AnnData");
        Int128 row = chunkBytes;
        for (var axis = 1; axis < dims.Length; axis++) row *= (dims[axis] + chunk[axis] - 1) / chunk[axis];
        // A single chunk is always worth keeping; a second one, and a row of them, only where they fit.
        var wanted = Int128.Max(2 * chunkBytes, row + chunkBytes);
        return (long)Int128.Max(chunkBytes, Int128.Min(wanted, LargestCacheBytes));
    }

    private static Hdf5Handle Reopen(Hdf5Group parent, string name, long cache, string location)
    {
        using var access = Hdf5Handle.Own(NativeMethods.H5Pcreate(Hdf5Library.Global("H5P_CLS_DATASET_ACCESS_ID_g")), "access list");
        // 12421: a prime, the library's own advice for the number of slots (H5Pset_chunk_cache).
        Hdf5Library.Check(NativeMethods.H5Pset_chunk_cache(access.Id, 12421, (nuint)cache, 1.0), "access list");
        return Hdf5Handle.Own(NativeMethods.H5Dopen2(parent.Id, name, access.Id), $"{location}: opening");
    }
}
