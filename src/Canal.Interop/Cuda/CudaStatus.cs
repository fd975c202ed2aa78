namespace Canal.Interop.Cuda;

/// <summary><c>CUresult</c>: those values that Canal tells apart. The driver names the others itself.</summary>
public enum CudaStatus
{
    /// <summary>Done.</summary>
    Success = 0,

    /// <summary>An argument is outside its range.</summary>
    InvalidValue = 1,

    /// <summary>The device, or the pinned memory of the host, is full.</summary>
    OutOfMemory = 2,

    /// <summary>The library is the stub that programs are linked against, not a driver.</summary>
    StubLibrary = 34,

    /// <summary>Another process has the device for itself.</summary>
    DeviceUnavailable = 46,

    /// <summary>The driver sees no device.</summary>
    NoDevice = 100,

    /// <summary>There is no device of that number.</summary>
    InvalidDevice = 101,

    /// <summary>The image is neither PTX nor CUBIN.</summary>
    InvalidImage = 200,

    /// <summary>The image holds no code for the device.</summary>
    NoBinaryForGpu = 209,

    /// <summary>The PTX does not compile.</summary>
    InvalidPtx = 218,

    /// <summary>The PTX is of a version newer than the driver.</summary>
    UnsupportedPtxVersion = 222,

    /// <summary>There is nothing of that name.</summary>
    NotFound = 500,

    /// <summary>A kernel read or wrote where it may not; the context is lost.</summary>
    IllegalAddress = 700,

    /// <summary>A launch asks for more threads, registers or shared memory than there are.</summary>
    LaunchOutOfResources = 701,

    /// <summary>A kernel ran longer than the display allows; the context is lost.</summary>
    LaunchTimeout = 702,

    /// <summary>A kernel failed on the device; the context is lost.</summary>
    LaunchFailed = 719,

    /// <summary>The switch fabric between the devices is not up.</summary>
    SystemNotReady = 802,

    /// <summary>The driver's library and its kernel module are of different versions.</summary>
    SystemDriverMismatch = 803,

    /// <summary>The call cannot be recorded into a graph.</summary>
    StreamCaptureUnsupported = 900,

    /// <summary>What was being recorded into a graph was spoiled by an earlier error.</summary>
    StreamCaptureInvalidated = 901,

    /// <summary>The driver does not know why.</summary>
    Unknown = 999,
}
