using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Testing.Emulator;

namespace Canal.Testing;

/// <summary>What a test of whole models runs on.</summary>
public enum TestDevice
{
    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>The CUDA device on the emulator, float32.</summary>
    Emulated,

    /// <summary>The CUDA device on the machine's first card, float32.</summary>
    Card,
}

/// <summary>Devices for tests of whole models.</summary>
public static class TestDevices
{
    /// <summary>A device of a kind. Skips the running test where it cannot be had.</summary>
    public static Device Open(TestDevice kind) => kind == TestDevice.Cpu ? new CpuDevice(new CpuOptions()) : Cuda(kind, CudaPrecision.Fp32);

    /// <summary>A CUDA device of a kind. Skips the running test where it cannot be had.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <param name="captures">Whether training steps are recorded and replayed.</param>
    public static CudaDevice Cuda(TestDevice kind, CudaPrecision precision, bool captures = true) => kind switch
    {
        TestDevice.Emulated => Emulated(precision, captures),
        TestDevice.Card => CardForTests.Open(precision, captures),
        _ => throw new ArgumentException("The processor is no CUDA device.", nameof(kind)),
    };

    /// <summary>The CUDA device on the emulator. Skips the running test where there is no compiler for the kernels.</summary>
    /// <param name="precision">Arithmetic.</param>
    /// <param name="captures">Whether training steps are recorded and replayed.</param>
    public static CudaDevice Emulated(CudaPrecision precision, bool captures = true)
    {
        EmulatedRuntime.Require();
        return new CudaDevice(new EmulatedRuntime(), new CudaOptions { Precision = precision, CapturesSteps = captures });
    }
}
