using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of bin_counts.cu.</summary>
internal static class BinCountsLaunches
{
    private const int Threads = 256;

    public static void Run(in BinCounts operation, CudaDevice device)
    {
        var (entries, cells) = (operation.Counts.Count, (int)operation.Offsets.Count - 1);
        if (entries == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Bins).Add(operation.Counts).Add(operation.Offsets).Add(cells).Add((int)entries);
        device.Launch(KernelPrograms.Embedding, "bin_counts", Grids.Blocks(cells + 1, Threads, device), arguments);
    }
}
