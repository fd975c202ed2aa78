using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of head_filter.cu.</summary>
internal static class HeadFilterLaunches
{
    private static readonly KernelNames ForwardKernel = new("head_filter_forward"), BackwardKernel = new("head_filter_backward");

    public static void Forward(in HeadFilterForward operation, CudaDevice device)
    {
        var (rows, columns) = (operation.Y.Shape.Rows, operation.Y.Shape.Columns);
        if (rows == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.U).Add(operation.Y).Add(operation.W).Add(operation.Bias).Add(rows).Add(columns);
        device.Launch(KernelPrograms.Elementwise, ForwardKernel.For(operation.Y.Type), Grids.Rows(rows, device), arguments);
    }

    public static void Backward(in HeadFilterBackward operation, CudaDevice device)
    {
        var (rows, columns) = (operation.Y.Shape.Rows, operation.Y.Shape.Columns);
        if (rows == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.DY).Add(device.OperationScratch).Add(operation.DU).Add(operation.U).Add(operation.Y).Add(operation.W).Add(rows).Add(columns);
        var blocks = RowReduction.CudaChunks(rows) * RowReduction.CudaTiles(columns + 1);
        device.Launch(KernelPrograms.Elementwise, BackwardKernel.For(operation.Y.Type), Grids.Blocks(blocks, Grids.ElementThreads, device), arguments);
        if (operation.DW.IsNone && operation.DBias.IsNone) return;
        RowSumLaunches.Merge(operation.DW, operation.DBias, rows, columns, 1, device);
    }
}
