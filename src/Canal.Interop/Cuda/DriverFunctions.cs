namespace Canal.Interop.Cuda;

/// <summary>
/// The functions of the driver that Canal uses, with their C names, as CUDA 11.8 declares them. An object and not <c>[LibraryImport]</c>: a driver that
/// lacks one is found out when it is loaded, not at the first call, and a test's stand-in lives beside the real driver in one process.
/// </summary>
/// <remarks>
/// <c>CUdeviceptr</c> and <c>size_t</c> are 64 bits wide. Of functions with versions the one that the 11.8 header names is taken: drivers keep every
/// version once shipped, the headers of CUDA 12 and 13 only name later ones. Streams are never the default one, so <c>_ptsz</c> forms are not needed.
/// </remarks>
internal sealed unsafe class DriverFunctions(NativeExports library)
{
    // Initialisation, version, errors
    public readonly delegate* unmanaged<uint, CudaStatus> cuInit = (delegate* unmanaged<uint, CudaStatus>)library["cuInit"];
    public readonly delegate* unmanaged<int*, CudaStatus> cuDriverGetVersion = (delegate* unmanaged<int*, CudaStatus>)library["cuDriverGetVersion"];
    public readonly delegate* unmanaged<CudaStatus, byte**, CudaStatus> cuGetErrorName = (delegate* unmanaged<CudaStatus, byte**, CudaStatus>)library["cuGetErrorName"];
    public readonly delegate* unmanaged<CudaStatus, byte**, CudaStatus> cuGetErrorString = (delegate* unmanaged<CudaStatus, byte**, CudaStatus>)library["cuGetErrorString"];

    // Devices and their primary contexts
    public readonly delegate* unmanaged<int*, CudaStatus> cuDeviceGetCount = (delegate* unmanaged<int*, CudaStatus>)library["cuDeviceGetCount"];
    public readonly delegate* unmanaged<int*, int, CudaStatus> cuDeviceGet = (delegate* unmanaged<int*, int, CudaStatus>)library["cuDeviceGet"];
    public readonly delegate* unmanaged<byte*, int, int, CudaStatus> cuDeviceGetName = (delegate* unmanaged<byte*, int, int, CudaStatus>)library["cuDeviceGetName"];
    public readonly delegate* unmanaged<nuint*, int, CudaStatus> cuDeviceTotalMem = (delegate* unmanaged<nuint*, int, CudaStatus>)library["cuDeviceTotalMem_v2"];
    public readonly delegate* unmanaged<int*, int, int, CudaStatus> cuDeviceGetAttribute = (delegate* unmanaged<int*, int, int, CudaStatus>)library["cuDeviceGetAttribute"];
    public readonly delegate* unmanaged<nint*, int, CudaStatus> cuDevicePrimaryCtxRetain = (delegate* unmanaged<nint*, int, CudaStatus>)library["cuDevicePrimaryCtxRetain"];
    public readonly delegate* unmanaged<int, CudaStatus> cuDevicePrimaryCtxRelease = (delegate* unmanaged<int, CudaStatus>)library["cuDevicePrimaryCtxRelease_v2"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuCtxSetCurrent = (delegate* unmanaged<nint, CudaStatus>)library["cuCtxSetCurrent"];

    // Memory
    public readonly delegate* unmanaged<nuint*, nuint*, CudaStatus> cuMemGetInfo = (delegate* unmanaged<nuint*, nuint*, CudaStatus>)library["cuMemGetInfo_v2"];
    public readonly delegate* unmanaged<nint*, nuint, CudaStatus> cuMemAlloc = (delegate* unmanaged<nint*, nuint, CudaStatus>)library["cuMemAlloc_v2"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuMemFree = (delegate* unmanaged<nint, CudaStatus>)library["cuMemFree_v2"];
    public readonly delegate* unmanaged<nint*, nuint, uint, CudaStatus> cuMemHostAlloc = (delegate* unmanaged<nint*, nuint, uint, CudaStatus>)library["cuMemHostAlloc"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuMemFreeHost = (delegate* unmanaged<nint, CudaStatus>)library["cuMemFreeHost"];
    public readonly delegate* unmanaged<nint, nint, nuint, nint, CudaStatus> cuMemcpyHtoDAsync = (delegate* unmanaged<nint, nint, nuint, nint, CudaStatus>)library["cuMemcpyHtoDAsync_v2"];
    public readonly delegate* unmanaged<nint, nint, nuint, nint, CudaStatus> cuMemcpyDtoHAsync = (delegate* unmanaged<nint, nint, nuint, nint, CudaStatus>)library["cuMemcpyDtoHAsync_v2"];
    public readonly delegate* unmanaged<nint, nint, nuint, nint, CudaStatus> cuMemcpyDtoDAsync = (delegate* unmanaged<nint, nint, nuint, nint, CudaStatus>)library["cuMemcpyDtoDAsync_v2"];
    public readonly delegate* unmanaged<nint, byte, nuint, nint, CudaStatus> cuMemsetD8Async = (delegate* unmanaged<nint, byte, nuint, nint, CudaStatus>)library["cuMemsetD8Async"];

    // Streams and events
    public readonly delegate* unmanaged<nint*, uint, CudaStatus> cuStreamCreate = (delegate* unmanaged<nint*, uint, CudaStatus>)library["cuStreamCreate"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuStreamDestroy = (delegate* unmanaged<nint, CudaStatus>)library["cuStreamDestroy_v2"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuStreamSynchronize = (delegate* unmanaged<nint, CudaStatus>)library["cuStreamSynchronize"];
    public readonly delegate* unmanaged<nint, nint, uint, CudaStatus> cuStreamWaitEvent = (delegate* unmanaged<nint, nint, uint, CudaStatus>)library["cuStreamWaitEvent"];
    public readonly delegate* unmanaged<nint*, uint, CudaStatus> cuEventCreate = (delegate* unmanaged<nint*, uint, CudaStatus>)library["cuEventCreate"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuEventDestroy = (delegate* unmanaged<nint, CudaStatus>)library["cuEventDestroy_v2"];
    public readonly delegate* unmanaged<nint, nint, CudaStatus> cuEventRecord = (delegate* unmanaged<nint, nint, CudaStatus>)library["cuEventRecord"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuEventSynchronize = (delegate* unmanaged<nint, CudaStatus>)library["cuEventSynchronize"];
    public readonly delegate* unmanaged<float*, nint, nint, CudaStatus> cuEventElapsedTime = (delegate* unmanaged<float*, nint, nint, CudaStatus>)library["cuEventElapsedTime"];

    // Modules and launches
    public readonly delegate* unmanaged<nint*, byte*, uint, int*, nint*, CudaStatus> cuModuleLoadDataEx = (delegate* unmanaged<nint*, byte*, uint, int*, nint*, CudaStatus>)library["cuModuleLoadDataEx"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuModuleUnload = (delegate* unmanaged<nint, CudaStatus>)library["cuModuleUnload"];
    public readonly delegate* unmanaged<nint*, nint, byte*, CudaStatus> cuModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, CudaStatus>)library["cuModuleGetFunction"];
    public readonly delegate* unmanaged<int*, int, nint, CudaStatus> cuFuncGetAttribute = (delegate* unmanaged<int*, int, nint, CudaStatus>)library["cuFuncGetAttribute"];
    public readonly delegate* unmanaged<nint, int, int, CudaStatus> cuFuncSetAttribute = (delegate* unmanaged<nint, int, int, CudaStatus>)library["cuFuncSetAttribute"];
    public readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, CudaStatus> cuLaunchKernel =
        (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, CudaStatus>)library["cuLaunchKernel"];

    // Graphs
    public readonly delegate* unmanaged<nint, int, CudaStatus> cuStreamBeginCapture = (delegate* unmanaged<nint, int, CudaStatus>)library["cuStreamBeginCapture_v2"];
    public readonly delegate* unmanaged<nint, nint*, CudaStatus> cuStreamEndCapture = (delegate* unmanaged<nint, nint*, CudaStatus>)library["cuStreamEndCapture"];
    public readonly delegate* unmanaged<nint*, nint, ulong, CudaStatus> cuGraphInstantiateWithFlags = (delegate* unmanaged<nint*, nint, ulong, CudaStatus>)library["cuGraphInstantiateWithFlags"];
    public readonly delegate* unmanaged<nint, nint, CudaStatus> cuGraphLaunch = (delegate* unmanaged<nint, nint, CudaStatus>)library["cuGraphLaunch"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuGraphExecDestroy = (delegate* unmanaged<nint, CudaStatus>)library["cuGraphExecDestroy"];
    public readonly delegate* unmanaged<nint, CudaStatus> cuGraphDestroy = (delegate* unmanaged<nint, CudaStatus>)library["cuGraphDestroy"];
}
