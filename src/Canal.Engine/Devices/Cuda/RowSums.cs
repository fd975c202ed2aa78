using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of column_sum.cu: the gradient of a bias, and the last part of every sum over rows.</summary>
internal static class RowSumLaunches
{
    private const int MergeThreads = 1024, MergeColumns = 32;

    private static readonly KernelNames Kernel = new("column_sum");

    public static void ColumnSum(in ColumnSum operation, CudaDevice device)
    {
        var (rows, columns) = (operation.DY.Shape.Rows, operation.DY.Shape.Columns);
        if (operation.DY.Count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(device.OperationScratch).Add(operation.DY).Add(rows).Add(columns);
        var blocks = RowReduction.CudaChunks(rows) * RowReduction.CudaTiles(columns);
        device.Launch(KernelPrograms.Elementwise, Kernel.For(operation.DY.Type), Grids.Blocks(blocks, Grids.ElementThreads, device), arguments);
        Merge(operation.DBias, Tensor.None, rows, columns, 0, device);
    }

    /// <summary>Adds the partial sums in the operation's scratch, [chunks, columns + more], to two targets, either none.</summary>
    public static void Merge(Tensor first, Tensor second, int rows, int columns, int more, CudaDevice device) =>
        MergeChunks(first, second, RowReduction.CudaChunks(rows), columns, more, device);

    /// <summary>The same where the chunks are cut otherwise.</summary>
    public static void MergeChunks(Tensor first, Tensor second, int chunks, int columns, int more, CudaDevice device)
    {
        var arguments = default(KernelArguments);
        arguments.Add(first).Add(second).Add(device.OperationScratch).Add(chunks).Add(columns).Add(more);
        var blocks = ((long)columns + more + MergeColumns - 1) / MergeColumns;
        device.Launch(KernelPrograms.Elementwise, "merge_row_sums", Grids.Blocks(blocks, MergeThreads, device), arguments);
    }
}
