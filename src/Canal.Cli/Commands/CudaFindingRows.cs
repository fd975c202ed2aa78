using System.Globalization;
using Canal.Cli.Terminal;
using Canal.Interop.Cuda;

namespace Canal.Cli.Commands;

/// <summary>The rows of <c>canal doctor</c> on the driver, the GPUs and cuBLAS: what was found, where, what is wrong and the cure.</summary>
internal static class CudaFindingRows
{
    /// <summary>A row a part; GPUs have theirs where the driver shows any.</summary>
    public static IEnumerable<Finding> Of(CudaFindings findings)
    {
        yield return Part("cuda driver", "CUDA ", findings.Driver);
        foreach (var (device, lack) in findings.Devices)
        {
            var found = string.Create(
                CultureInfo.InvariantCulture,
                $"{device.Name}, compute capability {device.ComputeCapability}, {Sizes.Format(device.MemoryBytes)}, {device.Multiprocessors} multiprocessors, {Sizes.Format(device.SharedBytesPerBlock)} shared memory a block");
            yield return Row(string.Create(CultureInfo.InvariantCulture, $"gpu {device.Ordinal}"), found, lack);
        }
        yield return Part("cublas", "", findings.Cublas);
    }

    /// <summary>What <c>--device auto</c> takes: the first GPU where all that it needs is there, otherwise the CPU.</summary>
    public static Finding Device(CudaFindings findings, bool hasCompiler)
    {
        if (!findings.Usable || !hasCompiler) return new Finding("device", "cpu (what --device auto takes: no GPU can be used)");
        if (findings.Devices[0].Lack is null) return new Finding("device", "cuda:0 (what --device auto takes)");
        var others = findings.Devices.Where(found => found.Lack is null).Select(found => string.Create(CultureInfo.InvariantCulture, $"cuda:{found.Device.Ordinal}"));
        return new Finding("device", $"cpu (what --device auto takes: gpu 0 cannot be used, {string.Join(", ", others)} can)");
    }

    private static Finding Part(string name, string prefix, CudaPart part) => Row(name, part.Version is null ? "" : $"{prefix}{part.Version} ({part.File})", part.Lack);

    private static Finding Row(string name, string found, CudaLack? lack) => lack switch
    {
        null => new Finding(name, found),
        { Problem: CudaProblem.DriverMissing or CudaProblem.CublasMissing } => Finding.Missing(name, $"{lack.What}; {lack.Cure}"),
        _ => new Finding(name, found, "NOT USABLE", $"{lack.What}; {lack.Cure}"),
    };
}
