namespace Canal.Interop.Cublas;

/// <summary><c>cublasStatus_t</c>: those values that Canal tells apart. The library names the others itself.</summary>
public enum CublasStatus
{
    /// <summary>Done.</summary>
    Success = 0,

    /// <summary>cuBLAS could not start on this device and driver.</summary>
    NotInitialized = 1,

    /// <summary>cuBLAS could not allocate its own memory on the device.</summary>
    AllocationFailed = 3,

    /// <summary>An argument is outside its range.</summary>
    InvalidValue = 7,

    /// <summary>The device lacks what the function needs.</summary>
    ArchitectureMismatch = 8,

    /// <summary>The kernel failed on the device.</summary>
    ExecutionFailed = 13,

    /// <summary>The combination of types is not supported.</summary>
    NotSupported = 15,
}
