using Canal.Interop.Cublas;
using Canal.Interop.Cuda;
using Canal.Testing;

namespace Canal.Interop.Tests.Cuda;

public sealed class CudaProbeTests
{
    [SkippableFact]
    public void Everything_there_is_found_and_let_go()
    {
        using var fake = new FakeCuda("capabilities=61,90");
        var found = Run(fake);
        Assert.True(found.Usable);
        Assert.Equal(new CudaPart(new Version(12, 4), fake.Path, null), found.Driver);
        Assert.Equal(new CudaPart(new Version(12, 4, 5), fake.Path, null), found.Cublas);
        Assert.Equal([61, 90], found.Devices.Select(device => device.Device.Architecture));
        Assert.Contains("compute capability 6.1", found.Devices[0].Lack!.What, StringComparison.Ordinal);
        Assert.Null(found.Devices[1].Lack);
        Assert.Contains("cuDevicePrimaryCtxRetain(1001)", fake.Calls()); // cuBLAS was tried on the one that will do
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void Old_devices_alone_are_of_no_use()
    {
        using var fake = new FakeCuda("capabilities=61");
        var found = Run(fake);
        Assert.False(found.Usable);
        Assert.Equal((null, null), (found.Driver.Lack, found.Cublas.Lack));
        Assert.Equal("use a newer GPU, or the CPU", Assert.Single(found.Devices).Lack!.Cure);
    }

    [SkippableFact]
    public void A_cublas_that_refuses_the_device_is_told_with_its_version()
    {
        using var fake = new FakeCuda("fail=cublasCreate_v2:1");
        var found = Run(fake);
        Assert.False(found.Usable);
        Assert.Equal((new Version(12, 4, 5), fake.Path), (found.Cublas.Version, found.Cublas.File));
        Assert.StartsWith("cublasCreate_v2: the library was not initialized (1)", found.Cublas.Lack!.What, StringComparison.Ordinal);
        Assert.Equal("", fake.Alive());
    }

    [SkippableTheory]
    [InlineData("fail=cuInit:100", "cuInit: CUDA_ERROR_NO_DEVICE (100)")]
    [InlineData("fail=cuInit:34", "cuInit: CUDA_ERROR_STUB_LIBRARY (34)")]
    [InlineData("version=11040", "serves CUDA 11.4")]
    [InlineData("capabilities=", "cuDeviceGetCount: CUDA_ERROR_NO_DEVICE (100)")]
    public void Without_a_device_cublas_is_looked_for_all_the_same(string settings, string what)
    {
        using var fake = new FakeCuda(settings);
        var found = Run(fake);
        Assert.False(found.Usable);
        Assert.Empty(found.Devices);
        Assert.Contains(what, found.Driver.Lack!.What, StringComparison.Ordinal);
        Assert.Equal(new CudaPart(new Version(12, 4, 5), fake.Path, null), found.Cublas);
        Assert.DoesNotContain("cublasCreate_v2()", fake.Calls());
    }

    [SkippableFact]
    public void A_driver_that_starts_and_then_fails_keeps_its_version()
    {
        using var fake = new FakeCuda("fail=cuDeviceGetCount:999");
        var found = Run(fake);
        Assert.Equal((new Version(12, 4), fake.Path), (found.Driver.Version, found.Driver.File));
        Assert.StartsWith("cuDeviceGetCount: Unknown (999)", found.Driver.Lack!.What, StringComparison.Ordinal);
    }

    [Fact]
    public void It_never_throws()
    {
        var found = CudaProbe.Run(() => throw new InvalidOperationException("odd"), _ => throw new BadImageFormatException("odder"));
        Assert.Equal(("InvalidOperationException: odd", "BadImageFormatException: odder"), (found.Driver.Lack!.What, found.Cublas.Lack!.What));
        Assert.NotNull(CudaProbe.Run()); // whatever this machine has
    }

    private static CudaFindings Run(FakeCuda fake) => CudaProbe.Run(() => CudaDriver.Load(fake.Path), _ => CublasLibrary.Load(fake.Path));
}
