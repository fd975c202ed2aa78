using System.Runtime.InteropServices;
using Canal.Engine.Tensors;

namespace Canal.Testing;

/// <summary>
/// Rounding float32 to an element type, to nearest, ties to even, by another route than the engine's: bfloat16 by arithmetic in float64
/// instead of bits. Values of half precision are kept as the float32 that they are.
/// </summary>
public static class Rounding
{
    /// <summary>Whether an element type is float16 or bfloat16.</summary>
    public static bool IsHalf(DType type) => type is DType.Float16 or DType.BFloat16;

    /// <summary>The nearest value of the type.</summary>
    public static float To(DType type, float x) => type switch
    {
        DType.Float32 => x,
        DType.Float16 => (float)(Half)x,
        DType.BFloat16 => ToBFloat16(x),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a floating-point type."),
    };

    /// <summary>The nearest values of the type.</summary>
    public static float[] To(DType type, float[] values) => type == DType.Float32 ? values : Array.ConvertAll(values, v => To(type, v));

    /// <summary>The values, rounded, as they are stored.</summary>
    public static byte[] Bytes(DType type, ReadOnlySpan<float> values)
    {
        if (type == DType.Float32) return MemoryMarshal.AsBytes(values).ToArray();
        var bits = new ushort[values.Length];
        for (var i = 0; i < bits.Length; i++)
        {
            bits[i] = type == DType.Float16 ? BitConverter.HalfToUInt16Bits((Half)values[i]) : (ushort)(BitConverter.SingleToUInt32Bits(ToBFloat16(values[i])) >> 16);
        }
        return MemoryMarshal.AsBytes(bits.AsSpan()).ToArray();
    }

    /// <summary>What is stored, widened.</summary>
    public static float[] Widened(DType type, ReadOnlySpan<byte> bytes)
    {
        if (type == DType.Float32) return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
        return Array.ConvertAll(MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(),
            bits => type == DType.Float16 ? (float)BitConverter.UInt16BitsToHalf(bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16));
    }

    private static float ToBFloat16(float x)
    {
        if (x == 0 || !float.IsFinite(x)) return x;
        // 8 bits of significand; below 2^-126 the last place is 2^-133.
        var unit = Math.ScaleB(1, Math.Max(Math.ILogB(x), -126) - 7);
        var rounded = Math.Round(x / unit, MidpointRounding.ToEven) * unit;
        return Math.Abs(rounded) < Math.ScaleB(1, 128) ? (float)rounded : MathF.CopySign(float.PositiveInfinity, x);
    }
}
