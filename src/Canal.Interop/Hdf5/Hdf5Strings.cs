using System.Runtime.InteropServices;
using System.Text;

namespace Canal.Interop.Hdf5;

/// <summary>Text in and out of the library: variable and fixed length, in datasets, record fields and attributes.</summary>
internal static unsafe class Hdf5Strings
{
    /// <summary>Longest text accepted, in bytes: names and labels are shorter, and a damaged length must not allocate.</summary>
    public const int LongestBytes = 1 << 16;

    private static readonly nuint VariableLength = nuint.MaxValue; // H5T_VARIABLE
    private const long BytesAtATime = 256L << 20;
    [ThreadStatic] private static long budget;

    /// <summary>A property list that makes the library allocate texts through a counting allocator: many references may share one long text.</summary>
    public static Hdf5Handle TransferList()
    {
        var list = Hdf5Handle.Own(NativeMethods.H5Pcreate(Hdf5Library.Global("H5P_CLS_DATASET_XFER_ID_g")), "transfer list");
        Hdf5Library.Check(NativeMethods.H5Pset_vlen_mem_manager(list.Id, &Allocate, null, &Free, null), "transfer list");
        return list;
    }

    /// <summary>UTF-8 of variable length, as h5py writes text.</summary>
    public static Hdf5Handle VariableType()
    {
        var type = Hdf5Handle.Own(NativeMethods.H5Tcopy(Hdf5Library.Global("H5T_C_S1_g")), "text type");
        Hdf5Library.Check(NativeMethods.H5Tset_size(type.Id, VariableLength), "text type");
        Hdf5Library.Check(NativeMethods.H5Tset_cset(type.Id, 1), "text type");
        return type;
    }

    /// <summary>Reads <paramref name="into"/>.Length texts. <paramref name="read"/> gets the address to fill and a transfer list; <paramref name="type"/> is the text's own type, <paramref name="record"/> the memory type of the read: the same, or a record with the text alone.</summary>
    public static void Read(Hdf5Handle type, Hdf5Handle record, Hdf5Handle space, Span<string> into, string location, Func<nint, long, int> read)
    {
        if (into.Length == 0) return;
        if (NativeMethods.H5Tis_variable_str(type.Id) > 0)
        {
            var pointers = new nint[into.Length];
            using var transfer = TransferList();
            fixed (nint* buffer = pointers)
            {
                budget = BytesAtATime;
                try
                {
                    Hdf5Library.Check(read((nint)buffer, transfer.Id), $"{location}: reading text");
                    for (var index = 0; index < into.Length; index++) into[index] = Decode((byte*)pointers[index]);
                }
                finally
                {
                    _ = NativeMethods.H5Dvlen_reclaim(record.Id, space.Id, transfer.Id, buffer);
                }
            }
            return;
        }
        var width = (int)NativeMethods.H5Tget_size(type.Id);
        if (width > LongestBytes) throw new Hdf5RefusedException($"{location}: texts of {width} bytes are not accepted");
        var padding = NativeMethods.H5Tget_strpad(type.Id) == 2 ? ' ' : '\0'; // H5T_STR_SPACEPAD
        var bytes = new byte[checked(into.Length * width)];
        fixed (byte* buffer = bytes)
        {
            Hdf5Library.Check(read((nint)buffer, 0), $"{location}: reading text");
            for (var index = 0; index < into.Length; index++) into[index] = Decode(bytes.AsSpan(index * width, width), padding);
        }
    }

    /// <summary>Reads the texts of an attribute, which are small and come without a transfer list.</summary>
    public static void ReadAttribute(Hdf5Handle type, Hdf5Handle space, Span<string> into, string location, Func<nint, int> read)
    {
        if (NativeMethods.H5Tis_variable_str(type.Id) <= 0)
        {
            Read(type, type, space, into, location, (buffer, _) => read(buffer));
            return;
        }
        var pointers = new nint[into.Length];
        fixed (nint* buffer = pointers)
        {
            try
            {
                Hdf5Library.Check(read((nint)buffer), location);
                for (var index = 0; index < into.Length; index++) into[index] = Decode((byte*)pointers[index]);
            }
            finally
            {
                _ = NativeMethods.H5Dvlen_reclaim(type.Id, space.Id, 0, buffer);
            }
        }
    }

    /// <summary>Hands the addresses of zero-terminated UTF-8 copies to <paramref name="use"/>.</summary>
    public static void Encode(IReadOnlyList<string> texts, Action<nint> use)
    {
        var pointers = new nint[Math.Max(1, texts.Count)];
        try
        {
            for (var index = 0; index < texts.Count; index++) pointers[index] = Marshal.StringToCoTaskMemUTF8(texts[index]);
            fixed (nint* buffer = pointers) use((nint)buffer);
        }
        finally
        {
            foreach (var pointer in pointers) Marshal.FreeCoTaskMem(pointer);
        }
    }

    private static string Decode(byte* text)
    {
        // The library ends every text with a zero, and the allocator below bounds its length.
        return text == null ? "" : Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
    }

    private static string Decode(ReadOnlySpan<byte> field, char padding)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]).TrimEnd(padding);
    }

    [UnmanagedCallersOnly]
    private static void* Allocate(nuint bytes, void* info)
    {
        if (bytes > LongestBytes + 1 || (long)bytes > budget) return null;
        budget -= (long)bytes;
        try
        {
            return NativeMemory.Alloc(bytes);
        }
        catch (OutOfMemoryException)
        {
            return null; // the library reports the failed read; nothing may be thrown through its frames
        }
    }

    [UnmanagedCallersOnly]
    private static void Free(void* memory, void* info) => NativeMemory.Free(memory);
}
