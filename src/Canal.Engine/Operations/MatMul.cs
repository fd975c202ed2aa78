using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cpu.Gemm;
using Canal.Engine.Tensors;

namespace Canal.Engine.Operations;

/// <summary>Matrix product C = op(A) op(B), or C += op(A) op(B). op transposes where asked.</summary>
/// <param name="C">[M, N]: float32, or the element type of the operands; sums are float32 in both cases.</param>
/// <param name="A">[M, K], or [K, M] when <paramref name="TransposeA"/>.</param>
/// <param name="B">[K, N], or [N, K] when <paramref name="TransposeB"/> (a PyTorch linear weight).</param>
/// <param name="TransposeA">Whether A is stored transposed.</param>
/// <param name="TransposeB">Whether B is stored transposed.</param>
/// <param name="Accumulate">Whether the product is added to C (preloaded with bias and residual, or a gradient).</param>
public readonly record struct MatMul(Tensor C, Tensor A, Tensor B, bool TransposeA = false, bool TransposeB = false, bool Accumulate = false) : IOperation
{
    /// <inheritdoc/>
    public static string Name => "mat_mul";

    /// <summary>Rows of C.</summary>
    public int M => C.Shape.Rows;

    /// <summary>Columns of C.</summary>
    public int N => C.Shape.Columns;

    /// <summary>Inner size.</summary>
    public int K => TransposeA ? A.Shape.Rows : A.Shape.Columns;

    /// <inheritdoc/>
    public void Describe(ref OperationDescription d)
    {
        d.UseActivation(A, Access.Read, TransposeA ? new Shape(K, M) : new Shape(M, K));
        d.Use(B, Access.Read, TransposeB ? new Shape(N, K) : new Shape(K, N), A.Type);
        d.Use(C, Accumulate ? Access.Accumulate : Access.Write, new Shape(M, N), C.Type == A.Type ? A.Type : DType.Float32);
        d.Work(2L * M * N * K);
        if (K <= TileProduct.LongestChain) d.Scratch(Panels.Bytes(K, N));
        d.WorkerScratch(MatMulKernels.WorkerScratchBytes(K, TransposeA));
    }
}
