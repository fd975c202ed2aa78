using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of expand_tokens.cu and embedding.cu.</summary>
internal static class EmbeddingLaunches
{
    // As in the kernels.
    private const int Threads = 256;
    private const int Lanes = 32;
    private const int ExpandChunk = 4096;

    public static void Expand(in ExpandTokens operation, CudaDevice device)
    {
        var (cells, length) = (operation.Tokens.Shape[0], operation.Tokens.Shape[1]);
        if (cells == 0 || length == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Tokens).Add(operation.Offsets).Add(operation.Positions).Add(operation.Bins).Add(cells).Add(length).Add((int)operation.Positions.Count);
        device.Launch(KernelPrograms.Embedding, "expand_tokens", Grids.Blocks((long)cells * ((length + ExpandChunk - 1) / ExpandChunk), Threads, device), arguments);
    }

    public static void Forward(in EmbeddingForward operation, CudaDevice device)
    {
        if (operation.X.Count == 0) return;
        var rows = operation.X.Shape.Rows;
        var arguments = default(KernelArguments);
        arguments.Add(operation.X).Add(operation.Tokens).Add(operation.BinTable).Add(operation.GeneTable)
            .Add(rows).Add(operation.Tokens.Shape[1]).Add(operation.X.Shape.Columns).Add(operation.BinTable.Shape.Rows);
        device.Launch(KernelPrograms.Embedding, "embedding_forward", Grids.Elements((long)rows * Lanes, device), arguments);
    }

    public static void Backward(in EmbeddingBackward operation, CudaDevice device)
    {
        if (operation.DX.Count == 0) return;
        if (!operation.DGeneTable.IsNone)
        {
            var genes = default(KernelArguments);
            genes.Add(operation.DGeneTable).Add(operation.DX).Add(operation.DGeneTable.Count).Add(operation.Tokens.Shape[0]);
            device.Launch(KernelPrograms.Embedding, "embedding_backward_genes", Grids.Elements(operation.DGeneTable.Count, device), genes);
        }
        if (operation.DBinTable.IsNone || operation.DBinTable.Count == 0) return;
        var (rows, columns, kinds) = (operation.DX.Shape.Rows, operation.DX.Shape.Columns, operation.DBinTable.Shape.Rows);
        var (chunks, groups) = (EmbeddingBackward.CudaChunks(rows), EmbeddingBackward.Groups(kinds));
        var bins = default(KernelArguments);
        bins.Add(device.OperationScratch).Add(operation.DX).Add(operation.Tokens).Add((long)rows).Add(columns).Add(kinds);
        var shape = Grids.Blocks((long)chunks * ((columns + Lanes - 1) / Lanes), Lanes, device) with { BlockY = groups, SharedBytes = groups * kinds * Lanes * sizeof(float) };
        device.Launch(KernelPrograms.Embedding, "embedding_backward_bins", shape, bins);
        RowSumLaunches.MergeChunks(operation.DBinTable, Tensor.None, chunks, (int)operation.DBinTable.Count, 0, device);
    }
}
