using System.Runtime.InteropServices;

namespace Canal.Interop.Hdf5;

/// <summary>The functions of libhdf5 that Canal uses, with their C names; only those whose names and structs did not change since 1.10. <c>hid_t</c> is 64 bits wide since HDF5 1.10.</summary>
internal static unsafe partial class NativeMethods
{
    internal const string Library = "hdf5";

    // H5public.h, H5PLpublic.h, H5Epublic.h, H5Ipublic.h, H5Zpublic.h
    [LibraryImport(Library)] internal static partial int H5open();
    [LibraryImport(Library)] internal static partial int H5get_libversion(out uint major, out uint minor, out uint release);
    [LibraryImport(Library)] internal static partial int H5free_memory(nint memory);
    [LibraryImport(Library)] internal static partial int H5PLset_loading_state(uint pluginMask);
    [LibraryImport(Library)] internal static partial int H5Eset_auto2(long stack, nint function, nint data);
    [LibraryImport(Library)] internal static partial int H5Ewalk2(long stack, int direction, delegate* unmanaged<uint, ErrorEntry*, void*, int> function, void* data);
    [LibraryImport(Library)] internal static partial int H5Eclear2(long stack);
    [LibraryImport(Library)] internal static partial int H5Idec_ref(long id);
    [LibraryImport(Library)] internal static partial int H5Zfilter_avail(int filter);

    // H5Fpublic.h
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Fopen(string name, uint flags, long access);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Fcreate(string name, uint flags, long creation, long access);
    [LibraryImport(Library)] internal static partial int H5Fflush(long file, int scope);

    // H5Lpublic.h
    [LibraryImport(Library)] internal static partial int H5Lunregister(int linkClass);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int H5Lexists(long location, string name, long access);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int H5Lget_val(long location, string name, byte* value, nuint size, long access);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int H5Ldelete(long location, string name, long access);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint H5Lget_name_by_idx(long location, string group, int index, int order, ulong position, byte* name, nuint size, long access);

    // H5Opublic.h, H5Gpublic.h
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Oopen(long location, string name, long access);
    [LibraryImport(Library)] internal static partial int H5Iget_type(long id);
    [LibraryImport(Library)] internal static partial int H5Gget_info(long group, GroupInfo* info);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Gcreate2(long location, string name, long linkCreation, long creation, long access);

    // H5Dpublic.h
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Dopen2(long location, string name, long access);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Dcreate2(long location, string name, long type, long space, long linkCreation, long creation, long access);
    [LibraryImport(Library)] internal static partial long H5Dget_space(long dataset);
    [LibraryImport(Library)] internal static partial long H5Dget_type(long dataset);
    [LibraryImport(Library)] internal static partial long H5Dget_create_plist(long dataset);
    [LibraryImport(Library)] internal static partial ulong H5Dget_storage_size(long dataset);
    [LibraryImport(Library)] internal static partial int H5Dread(long dataset, long memoryType, long memorySpace, long fileSpace, long transfer, void* buffer);
    [LibraryImport(Library)] internal static partial int H5Dwrite(long dataset, long memoryType, long memorySpace, long fileSpace, long transfer, void* buffer);
    [LibraryImport(Library)] internal static partial int H5Dset_extent(long dataset, ulong* size);
    [LibraryImport(Library)] internal static partial int H5Dvlen_reclaim(long type, long space, long transfer, void* buffer);

    // H5Spublic.h
    [LibraryImport(Library)] internal static partial long H5Screate(int kind);
    [LibraryImport(Library)] internal static partial long H5Screate_simple(int rank, ulong* dims, ulong* maxDims);
    [LibraryImport(Library)] internal static partial int H5Sget_simple_extent_type(long space);
    [LibraryImport(Library)] internal static partial int H5Sget_simple_extent_ndims(long space);
    [LibraryImport(Library)] internal static partial int H5Sget_simple_extent_dims(long space, ulong* dims, ulong* maxDims);
    [LibraryImport(Library)] internal static partial int H5Sselect_hyperslab(long space, int operation, ulong* start, ulong* stride, ulong* count, ulong* block);

    // H5Tpublic.h
    [LibraryImport(Library)] internal static partial int H5Tget_class(long type);
    [LibraryImport(Library)] internal static partial nuint H5Tget_size(long type);
    [LibraryImport(Library)] internal static partial int H5Tget_sign(long type);
    [LibraryImport(Library)] internal static partial int H5Tis_variable_str(long type);
    [LibraryImport(Library)] internal static partial int H5Tget_strpad(long type);
    [LibraryImport(Library)] internal static partial long H5Tcopy(long type);
    [LibraryImport(Library)] internal static partial long H5Tcreate(int kind, nuint size);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int H5Tinsert(long type, string name, nuint offset, long member);
    [LibraryImport(Library)] internal static partial int H5Tset_size(long type, nuint size);
    [LibraryImport(Library)] internal static partial int H5Tset_cset(long type, int characterSet);
    [LibraryImport(Library)] internal static partial long H5Tenum_create(long baseType);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int H5Tenum_insert(long type, string name, void* value);
    [LibraryImport(Library)] internal static partial int H5Tget_nmembers(long type);
    [LibraryImport(Library)] internal static partial nint H5Tget_member_name(long type, uint member);
    [LibraryImport(Library)] internal static partial long H5Tget_member_type(long type, uint member);

    [LibraryImport(Library)] internal static partial long H5Tget_super(long type);
    [LibraryImport(Library)] internal static partial int H5Tget_array_ndims(long type);
    [LibraryImport(Library)] internal static partial int H5Tget_array_dims2(long type, ulong* dims);

    // H5Ppublic.h
    [LibraryImport(Library)] internal static partial long H5Pcreate(long listClass);
    [LibraryImport(Library)] internal static partial int H5Pset_file_locking(long list, byte use, byte ignoreWhenDisabled);
    [LibraryImport(Library)] internal static partial int H5Pget_layout(long list);
    [LibraryImport(Library)] internal static partial int H5Pget_external_count(long list);
    [LibraryImport(Library)] internal static partial int H5Pget_nfilters(long list);
    [LibraryImport(Library)] internal static partial int H5Pget_filter2(long list, uint index, uint* flags, nuint* elements, uint* values, nuint nameSize, byte* name, uint* config);
    [LibraryImport(Library)] internal static partial int H5Pget_chunk(long list, int rank, ulong* dims);
    [LibraryImport(Library)] internal static partial int H5Pset_chunk(long list, int rank, ulong* dims);
    [LibraryImport(Library)] internal static partial int H5Pset_deflate(long list, uint level);
    [LibraryImport(Library)] internal static partial int H5Pset_shuffle(long list);
    [LibraryImport(Library)] internal static partial int H5Pset_obj_track_times(long list, byte track);
    [LibraryImport(Library)] internal static partial int H5Pset_vlen_mem_manager(long list, delegate* unmanaged<nuint, void*, void*> allocate, void* allocateInfo, delegate* unmanaged<void*, void*, void> free, void* freeInfo);
    [LibraryImport(Library)] internal static partial int H5Pset_chunk_cache(long list, nuint slots, nuint bytes, double preemption);

    // H5Apublic.h
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int H5Aexists(long location, string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Aopen(long location, string name, long access);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial long H5Acreate2(long location, string name, long type, long space, long creation, long access);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int H5Adelete(long location, string name);
    [LibraryImport(Library)] internal static partial long H5Aget_type(long attribute);
    [LibraryImport(Library)] internal static partial long H5Aget_space(long attribute);
    [LibraryImport(Library)] internal static partial int H5Aread(long attribute, long type, void* buffer);
    [LibraryImport(Library)] internal static partial int H5Awrite(long attribute, long type, void* buffer);

    /// <summary><c>H5E_error2_t</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct ErrorEntry
    {
        public long Class, Major, Minor;
        public uint Line;
        public byte* Function, File, Description;
    }

    /// <summary><c>H5G_info_t</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct GroupInfo
    {
        public int Storage;
        public ulong Links;
        public long MaxCreationOrder;
        public byte Mounted;
    }
}
