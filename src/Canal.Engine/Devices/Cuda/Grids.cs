namespace Canal.Engine.Devices.Cuda;

/// <summary>Common launch shapes. Kernels loop over the grid, so that any grid computes the same; these fill a card.</summary>
internal static class Grids
{
    /// <summary>Threads of a block of the elementwise kernels.</summary>
    public const int ElementThreads = 256;

    private const int BlocksPerMultiprocessor = 8;

    private const int WarpThreads = 32;

    /// <summary>A block a piece of work, up to a full card.</summary>
    public static LaunchShape Blocks(long pieces, int threads, CudaDevice device) =>
        new((int)Math.Clamp(pieces, 1, (long)device.Runtime.Multiprocessors * BlocksPerMultiprocessor), threads);

    /// <summary>A thread an element, up to a full card.</summary>
    public static LaunchShape Elements(long count, CudaDevice device) => Blocks((count + ElementThreads - 1) / ElementThreads, ElementThreads, device);

    /// <summary>A thread eight elements, up to a full card.</summary>
    public static LaunchShape Eights(long count, CudaDevice device) => Elements((count + 7) / 8, device);

    /// <summary>A warp a row, up to a full card.</summary>
    public static LaunchShape Rows(long rows, CudaDevice device) => Elements(rows * WarpThreads, device);

    /// <summary>A block a piece of work, for long pieces that the card schedules itself; the kernel loops over what no grid holds.</summary>
    public static LaunchShape BlockEach(long pieces, int threads) => new((int)Math.Min(pieces, int.MaxValue), threads);
}
