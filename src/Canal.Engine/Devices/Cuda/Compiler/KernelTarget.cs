using System.Globalization;

namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>What a program is compiled to.</summary>
/// <param name="Architecture">Compute capability times ten: 75, 80, 90.</param>
/// <param name="IsMachineCode">A CUBIN for this architecture alone; otherwise PTX, which the driver compiles for this and all later ones.</param>
public readonly record struct KernelTarget(int Architecture, bool IsMachineCode)
{
    /// <summary>NVRTC's name for it: <c>sm_80</c>, or <c>compute_80</c> for PTX.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(IsMachineCode ? "sm" : "compute")}_{Architecture}");
}
