using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Cuda.Driver;
using Canal.Interop.Cuda;
using Canal.Interop.Nvrtc;
using CudaDevice = Canal.Engine.Devices.Cuda.CudaDevice;

namespace Canal.Testing;

/// <summary>The machine's first CUDA card for tests.</summary>
public static class CardForTests
{
    // Asked once: a machine gets no card while its tests run.
    private static readonly Lazy<string?> Missing = new(Probe);

    /// <summary>Whether a card can be used.</summary>
    public static bool IsThere => Missing.Value is null;

    /// <summary>Skips the running test, with the reason, where no card can be used.</summary>
    public static void Require() => Skip.IfNot(IsThere, $"no CUDA card to test on: {Missing.Value}");

    /// <summary>Opens the card; skips the running test where there is none, or where it lacks the precision.</summary>
    /// <param name="precision">Arithmetic; float32 where it is null.</param>
    /// <param name="captures">Whether training steps are recorded and replayed.</param>
    public static CudaDevice Open(CudaPrecision? precision = null, bool captures = true)
    {
        Require();
        var runtime = DriverRuntime.Open(0, _ => { });
        precision ??= CudaPrecision.Fp32;
        if (precision.Fits(runtime.Architecture)) return new CudaDevice(runtime, new CudaOptions { Precision = precision, CapturesSteps = captures });
        runtime.Dispose();
        throw new SkipException($"the card has no {precision.Name}");
    }

    private static string? Probe()
    {
        try
        {
            DriverRuntime.Open(0, _ => { }).Dispose();
            return null;
        }
        catch (CudaException none)
        {
            return none.What;
        }
        catch (NvrtcMissingException none)
        {
            return none.Message;
        }
    }
}
