using System.Runtime.InteropServices;

namespace Canal.Interop.Cuda;

/// <summary>What a GPU is and has.</summary>
/// <param name="Ordinal">Its number, from 0.</param>
/// <param name="Name">Its name, such as NVIDIA H200.</param>
/// <param name="ComputeCapability">Its compute capability, such as 9.0.</param>
/// <param name="MemoryBytes">Bytes of device memory.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="SharedBytesPerBlock">Most bytes of shared memory that one block may have, where the kernel asks for it.</param>
/// <param name="L2Bytes">Bytes of level-2 cache.</param>
/// <param name="ClockKilohertz">Highest clock of the multiprocessors, in kHz.</param>
public sealed record CudaDevice(int Ordinal, string Name, Version ComputeCapability, nuint MemoryBytes, int Multiprocessors, int SharedBytesPerBlock, int L2Bytes, int ClockKilohertz)
{
    /// <summary>The oldest compute capability that Canal's kernels run on: Volta.</summary>
    public static readonly Version OldestComputeCapability = new(7, 0);

    // CUdevice_attribute
    private const int ClockRate = 13, MultiprocessorCount = 16, L2CacheSize = 38, CapabilityMajor = 75, CapabilityMinor = 76, SharedMemoryPerBlockOptIn = 97;
    private const int NameBytes = 256;

    /// <summary>Compute capability times ten, as compilers name it: 90 for 9.0.</summary>
    public int Architecture => ComputeCapability.Major * 10 + ComputeCapability.Minor;

    /// <summary>Why Canal cannot use the device; null where it can.</summary>
    public CudaException? Refusal => ComputeCapability >= OldestComputeCapability ? null : new CudaException(
        CudaProblem.DeviceTooOld,
        $"GPU {Ordinal} ({Name}) has compute capability {ComputeCapability}, Canal's kernels need {OldestComputeCapability} (Volta) or newer",
        "use a newer GPU, or the CPU");

    internal static unsafe CudaDevice Describe(CudaDriver driver, int ordinal)
    {
        var functions = driver.Functions;
        int device;
        var status = functions.cuDeviceGet(&device, ordinal);
        if (status != CudaStatus.Success) throw driver.Error(status, "cuDeviceGet", $"GPU {ordinal}");
        var name = stackalloc byte[NameBytes];
        driver.Check(functions.cuDeviceGetName(name, NameBytes, device), "cuDeviceGetName");
        nuint memory;
        driver.Check(functions.cuDeviceTotalMem(&memory, device), "cuDeviceTotalMem_v2");
        var number = device;
        return new CudaDevice(
            ordinal, Marshal.PtrToStringUTF8((nint)name) ?? "", new Version(Attribute(CapabilityMajor), Attribute(CapabilityMinor)), memory,
            Attribute(MultiprocessorCount), Attribute(SharedMemoryPerBlockOptIn), Attribute(L2CacheSize), Attribute(ClockRate));

        int Attribute(int which)
        {
            int value;
            driver.Check(functions.cuDeviceGetAttribute(&value, which, number), "cuDeviceGetAttribute");
            return value;
        }
    }
}
