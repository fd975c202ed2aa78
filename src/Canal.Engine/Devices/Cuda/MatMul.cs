using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Matrix products, left to the runtime (cuBLAS).</summary>
internal static class MatMulLaunches
{
    public static void Run(in MatMul operation, CudaDevice device)
    {
        if (operation.M == 0 || operation.N == 0) return;
        if (operation.K == 0)
        {
            if (!operation.Accumulate) ElementwiseLaunches.Fill(new Fill(operation.C, 0), device);
            return;
        }
        device.Runtime.Multiply(new MatrixProduct(
            operation.M, operation.N, operation.K, operation.C.Address, operation.N, operation.A.Address, operation.A.Shape.Columns, operation.B.Address, operation.B.Shape.Columns,
            operation.A.Type, operation.C.Type, operation.TransposeA, operation.TransposeB, operation.Accumulate,
            device.Precision.Tf32 && operation.A.Type == DType.Float32));
    }
}
