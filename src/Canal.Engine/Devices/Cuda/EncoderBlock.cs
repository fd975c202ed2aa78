using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>A whole encoder block: the launches of its single operations, over the block's scratch.</summary>
internal static class EncoderBlockLaunches
{
    public static void Forward(in EncoderBlockForward operation, CudaDevice device)
    {
        if (operation.X.Count == 0) return;
        if (operation.Sizes.Scope != KeyMaximumScope.Cell && operation.Sizes.Cells > 1)
        {
            throw new ArgumentException($"{EncoderBlockForward.Name}: the key maximum must be taken over a cell, not over the batch; run the block's single operations instead.");
        }
        var layout = default(Nothing);
        var parts = new Launcher(device, EncoderBlockParts.Run(operation, device.OperationScratchStorage!, ref layout));
        EncoderBlockParts.Run(operation, device.OperationScratchStorage!, ref parts);
    }

    // Finds only where the parts' own scratch begins.
    private struct Nothing : IOperationSink
    {
        public readonly void Take<TOp>(in TOp operation) where TOp : struct, IOperation { }
    }

    private readonly struct Launcher(CudaDevice device, nuint scratch) : IOperationSink
    {
        public void Take<TOp>(in TOp operation) where TOp : struct, IOperation => device.LaunchPart(operation, scratch);
    }
}
