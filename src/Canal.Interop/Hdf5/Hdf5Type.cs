using System.Runtime.InteropServices;

namespace Canal.Interop.Hdf5;

/// <summary>Kinds of stored elements that are told apart.</summary>
public enum Hdf5Kind
{
    /// <summary>Whole numbers of any width.</summary>
    Integer,

    /// <summary>Floating-point numbers of any width.</summary>
    Float,

    /// <summary>Text of variable or fixed length.</summary>
    String,

    /// <summary>h5py's boolean: an enumeration of FALSE and TRUE over one byte.</summary>
    Boolean,

    /// <summary>Records with named fields.</summary>
    Compound,

    /// <summary>Anything else.</summary>
    Other,
}

/// <summary>The type of a dataset's elements.</summary>
/// <param name="Kind">What the elements are.</param>
/// <param name="Size">Bytes an element.</param>
/// <param name="Signed">For whole numbers: whether they can be negative.</param>
/// <param name="Fields">For records: the fields, in order.</param>
public sealed record Hdf5Type(Hdf5Kind Kind, int Size, bool Signed, IReadOnlyList<Hdf5Field> Fields)
{
    private const int LargestElementBytes = 1 << 20;
    private const int MostFields = 4096;

    /// <summary>The type in words, for messages.</summary>
    public override string ToString() => Kind switch
    {
        Hdf5Kind.Integer => (Signed ? "int" : "uint") + Size * 8,
        Hdf5Kind.Float => "float" + Size * 8,
        _ => Kind.ToString().ToLowerInvariant(),
    };

    internal static Hdf5Type Describe(Hdf5Handle type, string location, bool withFields = true)
    {
        var size = NativeMethods.H5Tget_size(type.Id);
        if (size is 0 or > LargestElementBytes) throw new Hdf5RefusedException($"{location}: elements of {size} bytes are not accepted");
        var kind = NativeMethods.H5Tget_class(type.Id) switch
        {
            0 => Hdf5Kind.Integer,
            1 => Hdf5Kind.Float,
            3 => Hdf5Kind.String,
            6 when withFields => Hdf5Kind.Compound,
            8 when size == 1 && NativeMethods.H5Tget_nmembers(type.Id) == 2 => Hdf5Kind.Boolean,
            _ => Hdf5Kind.Other,
        };
        var signed = kind == Hdf5Kind.Integer && NativeMethods.H5Tget_sign(type.Id) == 1;
        return new Hdf5Type(kind, (int)size, signed, kind == Hdf5Kind.Compound ? DescribeFields(type, location) : []);
    }

    private static Hdf5Field[] DescribeFields(Hdf5Handle type, string location)
    {
        var count = NativeMethods.H5Tget_nmembers(type.Id);
        if (count is < 0 or > MostFields) throw new Hdf5RefusedException($"{location}: records of {count} fields are not accepted");
        var fields = new Hdf5Field[count];
        for (var index = 0; index < count; index++)
        {
            var name = NativeMethods.H5Tget_member_name(type.Id, (uint)index);
            try
            {
                using var member = Hdf5Handle.Own(NativeMethods.H5Tget_member_type(type.Id, (uint)index), $"{location}: field {index}");
                fields[index] = new Hdf5Field(index, Marshal.PtrToStringUTF8(name) ?? "", Describe(member, location, withFields: false));
            }
            finally
            {
                _ = NativeMethods.H5free_memory(name);
            }
        }
        return fields;
    }
}

/// <summary>One field of a record.</summary>
/// <param name="Index">Position within the record.</param>
/// <param name="Name">The field's name.</param>
/// <param name="Type">What it holds; a record within a record is <see cref="Hdf5Kind.Other"/>.</param>
public sealed record Hdf5Field(int Index, string Name, Hdf5Type Type);
