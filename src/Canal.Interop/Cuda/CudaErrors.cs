namespace Canal.Interop.Cuda;

/// <summary>The cures for what the driver says, in one place.</summary>
internal static class CudaErrors
{
    public const string InstallDriver = "install NVIDIA's driver for this machine's GPU (525 or newer), or name its library in CANAL_CUDA";
    public const string UpdateDriver = "update NVIDIA's driver to 525 or newer";

    /// <summary>The exception for a status that a call returned.</summary>
    /// <param name="call">The function's name.</param>
    /// <param name="status">What it returned.</param>
    /// <param name="name">The driver's name of the status: <c>CUDA_ERROR_OUT_OF_MEMORY</c>.</param>
    /// <param name="meaning">The driver's words for it: <c>out of memory</c>; may be empty.</param>
    /// <param name="detail">What was being done, in words that end the sentence; may be empty.</param>
    /// <param name="log">A compiler's log; may be empty.</param>
    public static CudaException Of(string call, CudaStatus status, string name, string meaning, string detail, string log)
    {
        var what = $"{call}: {name} ({(int)status})";
        if (meaning.Length > 0) what += ", " + meaning;
        if (detail.Length > 0) what += $" ({detail})";
        return new CudaException(ProblemOf(call, status), what, CureOf(status), (int)status, log);
    }

    private static CudaProblem ProblemOf(string call, CudaStatus status) => status switch
    {
        CudaStatus.OutOfMemory => CudaProblem.OutOfMemory,
        CudaStatus.StubLibrary => CudaProblem.StubLibrary,
        CudaStatus.NoDevice or CudaStatus.InvalidDevice => CudaProblem.NoDevice,
        _ => call is "cuInit" or "cuDriverGetVersion" ? CudaProblem.DriverFailed : CudaProblem.CallFailed,
    };

    private static string CureOf(CudaStatus status) => status switch
    {
        CudaStatus.OutOfMemory => "use smaller batches, set a memory limit, or end other programs on this GPU (nvidia-smi lists them)",
        CudaStatus.StubLibrary => "this is the toolkit's stub, not a driver: take its folder out of LD_LIBRARY_PATH or CANAL_CUDA, and " + InstallDriver,
        CudaStatus.NoDevice => "see whether nvidia-smi lists a GPU, whether CUDA_VISIBLE_DEVICES hides it, and whether a container was started with GPUs",
        CudaStatus.InvalidDevice => "choose one of the GPUs that canal doctor lists",
        CudaStatus.DeviceUnavailable => "another program has this GPU for itself: end it (nvidia-smi lists it) or choose another GPU",
        CudaStatus.NoBinaryForGpu => "the program was compiled for another architecture: compile it for this one",
        CudaStatus.InvalidImage or CudaStatus.InvalidPtx => "the compiled program is damaged or of another compiler: remove it from the cache, so that it is compiled again",
        CudaStatus.UnsupportedPtxVersion => "NVRTC is newer than the driver: update the driver, or name an older libnvrtc in CANAL_NVRTC",
        CudaStatus.LaunchTimeout => "this GPU also drives a display, which stops long kernels: use smaller batches or another GPU",
        CudaStatus.IllegalAddress or CudaStatus.LaunchFailed => "a kernel failed and took the context with it: this is a defect, start the program again and report it",
        CudaStatus.SystemNotReady => "the fabric between this machine's GPUs is not up: start the service nvidia-fabricmanager",
        CudaStatus.SystemDriverMismatch => "the driver was updated while it ran: restart the machine, or install the library of the running version",
        CudaStatus.Unknown => "see whether nvidia-smi works and the kernel's log speaks of the GPU (dmesg); after a suspend or an update, restart the machine",
        _ => "this is a defect of the program or of the driver: report it with this line and the output of canal doctor",
    };
}
