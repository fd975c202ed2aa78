using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Canal.Engine.Devices.Cpu.Simd;

/// <summary>The numbers of sixteen lanes.</summary>
internal static unsafe class LaneIndex
{
    /// <summary>0 to 15; constant data of the assembly, which never moves.</summary>
    public static readonly float* Values = (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(Numbers));

    private static ReadOnlySpan<float> Numbers => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
}
