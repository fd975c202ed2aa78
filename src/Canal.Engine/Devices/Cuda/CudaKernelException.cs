namespace Canal.Engine.Devices.Cuda;

/// <summary>A kernel program does not compile, or has no such kernel: a defect, or a compiler that does not fit.</summary>
public sealed class CudaKernelException : Exception
{
    /// <summary>Without a message.</summary>
    public CudaKernelException() { }

    /// <summary>With what, where and the compiler's log.</summary>
    public CudaKernelException(string message) : base(message) { }

    /// <summary>With what, where, and the cause.</summary>
    public CudaKernelException(string message, Exception inner) : base(message, inner) { }
}
