using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>A row-major product C[M, N] = op(A) op(B), or C += op(A) op(B), with float32 accumulation. op transposes where asked.</summary>
/// <param name="M">Rows of C.</param>
/// <param name="N">Columns of C.</param>
/// <param name="K">Inner size.</param>
/// <param name="C">Address of C.</param>
/// <param name="RowC">Elements from one row of C to the next, at least N.</param>
/// <param name="A">Address of A, [M, K] or [K, M].</param>
/// <param name="RowA">Elements from one row of A, as stored, to the next.</param>
/// <param name="B">Address of B, [K, N] or [N, K].</param>
/// <param name="RowB">Elements from one row of B, as stored, to the next.</param>
/// <param name="Operands">Element type of A and B: float32, float16 or bfloat16.</param>
/// <param name="Result">Element type of C: float32, or that of the operands.</param>
/// <param name="TransposeA">Whether A is stored transposed.</param>
/// <param name="TransposeB">Whether B is stored transposed.</param>
/// <param name="Accumulate">Whether the product is added to C.</param>
/// <param name="Tf32">Whether float32 operands may be rounded to TF32 (10 bits of fraction).</param>
public readonly record struct MatrixProduct(
    int M, int N, int K, nint C, int RowC, nint A, int RowA, nint B, int RowB,
    DType Operands, DType Result, bool TransposeA, bool TransposeB, bool Accumulate, bool Tf32);
