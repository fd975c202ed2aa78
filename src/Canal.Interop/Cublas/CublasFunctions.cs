namespace Canal.Interop.Cublas;

/// <summary>The functions of cuBLAS that Canal uses, with their C names, as an object for the reasons told at the driver's.</summary>
internal sealed unsafe class CublasFunctions(NativeExports library)
{
    public readonly delegate* unmanaged<int, int*, CublasStatus> cublasGetProperty = (delegate* unmanaged<int, int*, CublasStatus>)library["cublasGetProperty"];
    public readonly delegate* unmanaged<nint*, CublasStatus> cublasCreate = (delegate* unmanaged<nint*, CublasStatus>)library["cublasCreate_v2"];
    public readonly delegate* unmanaged<nint, CublasStatus> cublasDestroy = (delegate* unmanaged<nint, CublasStatus>)library["cublasDestroy_v2"];
    public readonly delegate* unmanaged<nint, nint, CublasStatus> cublasSetStream = (delegate* unmanaged<nint, nint, CublasStatus>)library["cublasSetStream_v2"];
    public readonly delegate* unmanaged<nint, nint, nuint, CublasStatus> cublasSetWorkspace = (delegate* unmanaged<nint, nint, nuint, CublasStatus>)library["cublasSetWorkspace_v2"];
    public readonly delegate* unmanaged<nint, int, CublasStatus> cublasSetMathMode = (delegate* unmanaged<nint, int, CublasStatus>)library["cublasSetMathMode"];
    public readonly delegate* unmanaged<CublasStatus, byte*> cublasGetStatusString = (delegate* unmanaged<CublasStatus, byte*>)library["cublasGetStatusString"];

    /// <summary>handle, op(A), op(B), m, n, k, alpha, A, type, row, B, type, row, beta, C, type, row, compute type, algorithm.</summary>
    public readonly delegate* unmanaged<nint, int, int, int, int, int, void*, nint, int, int, nint, int, int, void*, nint, int, int, int, int, CublasStatus> cublasGemmEx =
        (delegate* unmanaged<nint, int, int, int, int, int, void*, nint, int, int, nint, int, int, void*, nint, int, int, int, int, CublasStatus>)library["cublasGemmEx"];
}
