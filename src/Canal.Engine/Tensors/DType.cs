namespace Canal.Engine.Tensors;

/// <summary>Element type of a tensor.</summary>
public enum DType : byte
{
    /// <summary>IEEE 754 binary32; the type of everything that is trained.</summary>
    Float32,

    /// <summary>IEEE 754 binary16; activations on some GPUs.</summary>
    Float16,

    /// <summary>bfloat16; activations on newer GPUs.</summary>
    BFloat16,

    /// <summary>Signed 32-bit integer; labels, offsets, gene indices.</summary>
    Int32,

    /// <summary>Unsigned 8-bit integer; tokens (expression bins 0..5, mask 6).</summary>
    UInt8,

    /// <summary>Unsigned 16-bit integer; gene positions of sparse tokens.</summary>
    UInt16,
}

/// <summary>Sizes of element types.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Bytes(this DType type) => type switch
    {
        DType.Float32 or DType.Int32 => 4,
        DType.Float16 or DType.BFloat16 or DType.UInt16 => 2,
        DType.UInt8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown element type."),
    };
}
