namespace Canal.Interop.Cuda;

/// <summary>What stands in the way, as far as a program can do something about it.</summary>
public enum CudaProblem
{
    /// <summary>There is no driver library, or it does not load.</summary>
    DriverMissing,

    /// <summary>The driver library is the stub of the CUDA toolkit.</summary>
    StubLibrary,

    /// <summary>The driver is older than CUDA 11.8.</summary>
    DriverTooOld,

    /// <summary>The driver does not start.</summary>
    DriverFailed,

    /// <summary>The driver sees no device, or none of that number.</summary>
    NoDevice,

    /// <summary>The device's compute capability is below 7.0.</summary>
    DeviceTooOld,

    /// <summary>Device memory, or pinned host memory, is full.</summary>
    OutOfMemory,

    /// <summary>There is no cuBLAS, it does not load, or it is of a version that is not supported.</summary>
    CublasMissing,

    /// <summary>cuBLAS loads and refuses to start.</summary>
    CublasFailed,

    /// <summary>A call failed.</summary>
    CallFailed,
}

/// <summary>The CUDA driver or cuBLAS is missing, does not do, or refused a call.</summary>
public sealed class CudaException : Exception
{
    /// <summary>An exception whose message is <paramref name="what"/> and the cure, in one line.</summary>
    /// <param name="problem">What stands in the way.</param>
    /// <param name="what">What happened: the call's name, the error's name and number, its meaning.</param>
    /// <param name="cure">What to do about it.</param>
    /// <param name="code">The status returned, 0 where no call was made.</param>
    /// <param name="detail">All that was said besides, in several lines: a compiler's log.</param>
    public CudaException(CudaProblem problem, string what, string cure, int code = 0, string detail = "") : base($"{what}; {cure}")
    {
        Problem = problem;
        What = what;
        Cure = cure;
        Code = code;
        Detail = detail;
    }

    /// <summary>What stands in the way.</summary>
    public CudaProblem Problem { get; }

    /// <summary>What happened, without the cure.</summary>
    public string What { get; }

    /// <summary>What to do about it.</summary>
    public string Cure { get; }

    /// <summary>The status returned (<see cref="CudaStatus"/>, or a <c>cublasStatus_t</c>), 0 where no call was made.</summary>
    public int Code { get; }

    /// <summary>All that was said besides, in several lines; may be empty.</summary>
    public string Detail { get; }
}
