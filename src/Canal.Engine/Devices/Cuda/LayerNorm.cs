using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of layer_norm.cu.</summary>
internal static class LayerNormLaunches
{
    private static readonly KernelNames ForwardKernel = new("layer_norm_forward"), BackwardKernel = new("layer_norm_backward");

    public static void Forward(in LayerNormForward operation, CudaDevice device)
    {
        var (rows, columns) = (operation.X.Shape.Rows, operation.X.Shape.Columns);
        if (operation.X.Count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(operation.Mean).Add(operation.Rstd).Add(operation.X).Add(operation.Gamma).Add(operation.Beta)
            .Add(rows).Add(columns).Add(operation.Epsilon);
        device.Launch(KernelPrograms.Elementwise, ForwardKernel.For(operation.Y.Type), Grids.Rows(rows, device), arguments);
    }

    public static void Backward(in LayerNormBackward operation, CudaDevice device)
    {
        var (rows, columns) = (operation.X.Shape.Rows, operation.X.Shape.Columns);
        if (operation.X.Count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.DX).Add(device.OperationScratch).Add(operation.DY).Add(operation.X).Add(operation.Mean).Add(operation.Rstd).Add(operation.Gamma)
            .Add(rows).Add(columns).Add(operation.Accumulate);
        device.Launch(KernelPrograms.Elementwise, BackwardKernel.For(operation.DY.Type), Grids.Blocks(RowReduction.CudaChunks(rows), Grids.ElementThreads, device), arguments);
        if (operation.DGamma.IsNone && operation.DBeta.IsNone) return;
        RowSumLaunches.Merge(operation.DGamma, operation.DBeta, rows, columns, columns, device);
    }
}
