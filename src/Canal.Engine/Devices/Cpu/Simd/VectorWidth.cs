using System.Runtime.Intrinsics;

namespace Canal.Engine.Devices.Cpu.Simd;

/// <summary>Register width that the CPU kernels run with. Changes speed, never a bit of a result.</summary>
public enum VectorWidth
{
    /// <summary>Four lanes.</summary>
    Bits128 = 128,

    /// <summary>Eight lanes.</summary>
    Bits256 = 256,

    /// <summary>Sixteen lanes.</summary>
    Bits512 = 512,
}

/// <summary>Which widths this machine has.</summary>
public static class VectorWidths
{
    /// <summary>Whether registers of this width exist here and run fused multiply-adds.</summary>
    /// <remarks>Asks for AVX-512 itself: <c>Vector512.IsHardwareAccelerated</c> is false on processors that lower their clock, which a timing decides better.</remarks>
    public static bool IsSupported(VectorWidth width) => width switch
    {
        VectorWidth.Bits512 => System.Runtime.Intrinsics.X86.Avx512F.IsSupported,
        VectorWidth.Bits256 => Vector256.IsHardwareAccelerated,
        _ => true,
    };

    /// <summary>The widest supported width that the runtime itself would use.</summary>
    public static VectorWidth Default =>
        Vector512.IsHardwareAccelerated ? VectorWidth.Bits512 : Vector256.IsHardwareAccelerated ? VectorWidth.Bits256 : VectorWidth.Bits128;
}
