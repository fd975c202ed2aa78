using Canal.Interop.Cuda;
using Canal.Testing;

namespace Canal.Interop.Tests.Cuda;

/// <summary>Everything that can stand in the way of a driver, each with its own message and cure.</summary>
public sealed class CudaDriverTests
{
    [Fact]
    public void A_missing_library_is_told_with_its_cure()
    {
        var refused = Assert.Throws<CudaException>(() => CudaDriver.Load("/nowhere/libcuda.so.1"));
        Assert.Equal((CudaProblem.DriverMissing, 0), (refused.Problem, refused.Code));
        Assert.Equal(
            "the CUDA driver was not found: CANAL_CUDA names /nowhere/libcuda.so.1, which does not load: cannot open shared object file: No such file or directory; "
            + "install NVIDIA's driver for this machine's GPU (525 or newer), or name its library in CANAL_CUDA",
            refused.Message);
    }

    [Fact]
    public void Another_library_is_no_driver()
    {
        var refused = Assert.Throws<CudaException>(() => CudaDriver.Load("libm.so.6"));
        Assert.Equal(CudaProblem.DriverMissing, refused.Problem);
        Assert.StartsWith("libm.so.6 is no CUDA driver: it lacks cuInit, cuDriverGetVersion", refused.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("fail=cuInit:34", CudaProblem.StubLibrary, 34, "cuInit: CUDA_ERROR_STUB_LIBRARY (34) (FILE, CUDA 12.4); this is the toolkit's stub, not a driver: take its folder out of LD_LIBRARY_PATH or CANAL_CUDA, and install NVIDIA's driver")]
    [InlineData("fail=cuDriverGetVersion:34", CudaProblem.StubLibrary, 34, "cuDriverGetVersion: CUDA_ERROR_STUB_LIBRARY (34) (FILE); this is the toolkit's stub")]
    [InlineData("fail=cuInit:100", CudaProblem.NoDevice, 100, "cuInit: CUDA_ERROR_NO_DEVICE (100), no CUDA-capable device is detected (FILE, CUDA 12.4); see whether nvidia-smi lists a GPU, whether CUDA_VISIBLE_DEVICES hides it")]
    [InlineData("fail=cuInit:803", CudaProblem.DriverFailed, 803, "cuInit: SystemDriverMismatch (803) (FILE, CUDA 12.4); the driver was updated while it ran: restart the machine")]
    [InlineData("fail=cuInit:802", CudaProblem.DriverFailed, 802, "cuInit: SystemNotReady (802) (FILE, CUDA 12.4); the fabric between this machine's GPUs is not up")]
    [InlineData("fail=cuInit:999", CudaProblem.DriverFailed, 999, "cuInit: Unknown (999) (FILE, CUDA 12.4); see whether nvidia-smi works")]
    [InlineData("fail=cuInit:123", CudaProblem.DriverFailed, 123, "cuInit: 123 (123) (FILE, CUDA 12.4); this is a defect of the program or of the driver")]
    [InlineData("version=11070", CudaProblem.DriverTooOld, 0, "the NVIDIA driver (FILE) serves CUDA 11.7, Canal needs 11.8 or newer; update NVIDIA's driver to 525 or newer")]
    [InlineData("version=11040;fail=cuInit:999", CudaProblem.DriverTooOld, 0, "the NVIDIA driver (FILE) serves CUDA 11.4, Canal needs 11.8 or newer; update NVIDIA's driver to 525 or newer")]
    public void A_driver_that_does_not_do_is_told_with_its_cure(string settings, CudaProblem problem, int code, string message)
    {
        using var fake = new FakeCuda(settings);
        var refused = Assert.Throws<CudaException>(() => CudaDriver.Load(fake.Path));
        Assert.Equal((problem, code), (refused.Problem, refused.Code));
        Assert.StartsWith(message.Replace("FILE", fake.Path, StringComparison.Ordinal), refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [SkippableFact]
    public void A_driver_that_lacks_a_function_is_too_old()
    {
        using var fake = new FakeCuda(lacksGraphs: true);
        var refused = Assert.Throws<CudaException>(() => CudaDriver.Load(fake.Path));
        Assert.Equal(CudaProblem.DriverTooOld, refused.Problem);
        Assert.StartsWith($"the NVIDIA driver ({fake.Path}) lacks cuGraphInstantiateWithFlags; update", refused.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void The_driver_tells_its_version_and_devices()
    {
        using var fake = new FakeCuda("version=13000;capabilities=90,61");
        var driver = CudaDriver.Load(fake.Path);
        Assert.Equal((new Version(13, 0), fake.Path, 2), (driver.Version, driver.File, driver.DeviceCount()));
        var device = driver.Device(0);
        Assert.Equal(new CudaDevice(0, "Fake 1000", new Version(9, 0), (nuint)141 << 30, 132, 232448, 52428800, 1980000), device);
        Assert.Equal((90, null), (device.Architecture, device.Refusal));
        Assert.Equal(["cuDriverGetVersion()", "cuInit(0)", "cuDeviceGetCount()", "cuDeviceGet(0)", "cuDeviceGetName(256, 1000)", "cuDeviceTotalMem_v2(1000)"], fake.Calls()[..6]);
    }

    [SkippableFact]
    public void A_device_too_old_is_described_and_not_opened()
    {
        using var fake = new FakeCuda("capabilities=90,61");
        var driver = CudaDriver.Load(fake.Path);
        Assert.Equal(61, driver.Device(1).Architecture);
        var refused = Assert.Throws<CudaException>(() => driver.OpenContext(1));
        Assert.Equal(CudaProblem.DeviceTooOld, refused.Problem);
        Assert.Equal("GPU 1 (Fake 1001) has compute capability 6.1, Canal's kernels need 7.0 (Volta) or newer; use a newer GPU, or the CPU", refused.Message);
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void A_driver_that_starts_without_devices_has_none()
    {
        using var fake = new FakeCuda("capabilities=");
        Assert.Equal(CudaProblem.NoDevice, Assert.Throws<CudaException>(() => CudaDriver.Load(fake.Path).DeviceCount()).Problem);
    }

    [SkippableFact]
    public void A_device_that_is_not_there_is_told()
    {
        using var fake = new FakeCuda();
        var refused = Assert.Throws<CudaException>(() => CudaDriver.Load(fake.Path).OpenContext(3));
        Assert.Equal((CudaProblem.NoDevice, 101), (refused.Problem, refused.Code));
        Assert.Equal("cuDeviceGet: InvalidDevice (101) (GPU 3); choose one of the GPUs that canal doctor lists", refused.Message);
    }
}
