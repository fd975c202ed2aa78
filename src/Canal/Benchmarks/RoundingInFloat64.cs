using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;

namespace Canal.Benchmarks;

/// <summary>
/// What a part of the model rounds to when its sums are exact: the values between operations and their gradients to the element type that they are
/// stored in, the operands of products to what the products take. Sums, and what a kernel rounds inside itself, are not rounded.
/// </summary>
/// <param name="Stored">Element type of the values; null rounds nothing.</param>
/// <param name="Tf32">Whether products of float32 operands round them to TF32.</param>
internal sealed record RoundingInFloat64(DType? Stored, bool Tf32)
{
    // The mantissa of a float32 has 13 bits more than that of TF32.
    private const int Tf32DroppedBits = 13;

    public static RoundingInFloat64 Exact { get; } = new(null, false);

    /// <summary>How a precision rounds inside a block (design.md, Precision).</summary>
    public static RoundingInFloat64 OfBlock(CudaPrecision precision, bool frozen) => new(frozen ? precision.Forward : precision.Training, precision.Tf32);

    /// <summary>The residual stream, and everything behind the final norm.</summary>
    public RoundingInFloat64 OfResidual => Stored is null ? Exact : this with { Stored = DType.Float32 };

    /// <summary>Rounds values where they are.</summary>
    public void Store(double[] values)
    {
        if (Stored is { } type) Round(values, values, x => To(type, x));
    }

    /// <summary>Values as a product takes them.</summary>
    public double[] Operand(double[] values)
    {
        if (Stored is not { } type) return values;
        var rounded = new double[values.Length];
        Round(rounded, values, type == DType.Float32 && Tf32 ? ToTf32 : x => To(type, x));
        return rounded;
    }

    private static void Round(double[] to, double[] from, Func<double, double> rounded) =>
        Parallel.For(0, (from.Length + 65535) / 65536, part =>
        {
            for (var i = part * 65536; i < Math.Min((part + 1) * 65536, from.Length); i++) to[i] = rounded(from[i]);
        });

    private static double To(DType type, double x) => type switch
    {
        DType.Float32 => (float)x,
        DType.Float16 => (double)(Half)x,
        DType.BFloat16 => Shortened((float)x, 16),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a floating-point type."),
    };

    private static double ToTf32(double x) => Shortened((float)x, Tf32DroppedBits);

    // To nearest, ties to even; what is not finite stays so.
    private static double Shortened(float x, int dropped)
    {
        if (!float.IsFinite(x)) return x;
        var bits = BitConverter.SingleToUInt32Bits(x);
        var half = (1u << (dropped - 1)) - 1 + ((bits >> dropped) & 1);
        return BitConverter.UInt32BitsToSingle((bits + half) >> dropped << dropped);
    }
}
