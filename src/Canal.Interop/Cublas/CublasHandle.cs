using Canal.Interop.Cuda;

namespace Canal.Interop.Cublas;

/// <summary>cuBLAS at work in a context, in the order of one stream. Used by one thread at a time.</summary>
public sealed unsafe class CublasHandle : CudaHandle
{
    // cublasMath_t: sums of products of halves stay in float32 even where a product is split; TF32 only where a call asks for it.
    private const int DisallowReducedPrecisionReduction = 16;
    private const int Compute32F = 68, Compute32FFastTf32 = 77; // cublasComputeType_t
    private const int DefaultAlgorithm = -1;                    // CUBLAS_GEMM_DEFAULT
    private readonly CublasLibrary library;

    private CublasHandle(CudaContext context, CublasLibrary library, nint created) : base(context, created) => this.library = library;

    /// <summary>Starts cuBLAS on a stream.</summary>
    /// <param name="library">The library.</param>
    /// <param name="stream">Where products run, in order.</param>
    /// <param name="workspace">Device memory for cuBLAS's own use, aligned to 256 bytes: with it, products neither allocate nor change their sums with what else runs. NVIDIA advises 32 MiB from Hopper on, 4 MiB before. It must outlive the handle.</param>
    /// <exception cref="CudaException">cuBLAS refuses to start (<see cref="CudaProblem.CublasFailed"/>), or there is no memory for it.</exception>
    public static CublasHandle Create(CublasLibrary library, CudaStream stream, CudaMemory workspace)
    {
        ArgumentNullException.ThrowIfNull(library);
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(workspace);
        _ = stream.Context.Opened();
        nint created;
        var status = library.Functions.cublasCreate(&created);
        if (status != CublasStatus.Success) throw library.Error(status, "cublasCreate_v2", CudaProblem.CublasFailed, $"cuBLAS {library.Version}, driver for CUDA {stream.Context.Driver.Version}");
        var handle = new CublasHandle(stream.Context, library, created);
        try
        {
            library.Check(library.Functions.cublasSetMathMode(created, DisallowReducedPrecisionReduction), "cublasSetMathMode");
            // In this order: setting a stream gives cuBLAS its own workspace back.
            library.Check(library.Functions.cublasSetStream(created, stream.Value), "cublasSetStream_v2");
            library.Check(library.Functions.cublasSetWorkspace(created, workspace.Address, workspace.Bytes), "cublasSetWorkspace_v2");
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C, row-major, with float32 accumulation; C is not read where beta is 0. Returns before it is done; allocates nothing.</summary>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">Inner size.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="a">A, stored [m, k], or [k, m] where it is taken transposed.</param>
    /// <param name="b">B, of A's type, stored [k, n], or [n, k] where it is taken transposed.</param>
    /// <param name="beta">Factor of what C holds.</param>
    /// <param name="c">C: float32, or of A's type; never transposed.</param>
    /// <param name="tf32">Whether float32 operands may be rounded to TF32 (10 bits of fraction); halves are not affected.</param>
    public void Multiply(int m, int n, int k, float alpha, in CublasMatrix a, in CublasMatrix b, float beta, in CublasMatrix c, bool tf32 = false)
    {
        if (a.Type != b.Type || (c.Type != a.Type && c.Type != CublasType.Float32) || c.Transposed || a.RowLength < (a.Transposed ? m : k) || b.RowLength < (b.Transposed ? k : n) || c.RowLength < n)
        {
            throw new ArgumentException($"C[{m}, {n}] = op(A)[{m}, {k}] op(B)[{k}, {n}] does not go with A {a}, B {b}, C {c}.");
        }
        var compute = tf32 && a.Type == CublasType.Float32 ? Compute32FFastTf32 : Compute32F;
        _ = Context.Enter();
        // cuBLAS is column-major, where a row-major matrix is its own transpose: C^T[n, m] = op(B)^T op(A)^T.
        var status = library.Functions.cublasGemmEx(
            Value, b.Transposed ? 1 : 0, a.Transposed ? 1 : 0, n, m, k, &alpha, b.Address, (int)b.Type, b.RowLength, a.Address, (int)a.Type, a.RowLength,
            &beta, c.Address, (int)c.Type, c.RowLength, compute, DefaultAlgorithm);
        if (status != CublasStatus.Success) throw library.Error(status, "cublasGemmEx", CudaProblem.CallFailed, $"C[{m}, {n}] = op(A)[{m}, {k}] op(B)[{k}, {n}], A {a}, B {b}, C {c}");
    }

    private protected override CudaStatus Destroy(DriverFunctions functions, nint owned) =>
        library.Functions.cublasDestroy(owned) == CublasStatus.Success ? CudaStatus.Success : CudaStatus.Unknown;
}
