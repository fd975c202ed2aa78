using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of gradient_norm.cu.</summary>
internal static class AdamLaunches
{
    private const int Threads = 256;

    public static void Norm(in GradientNorm operation, CudaDevice device)
    {
        var count = operation.Gradients.Count;
        var chunks = RowReduction.Chunks(count);
        if (chunks > 0)
        {
            var sums = default(KernelArguments);
            sums.Add(device.OperationScratch).Add(operation.Gradients).Add(count).Add(chunks);
            device.Launch(KernelPrograms.Losses, "gradient_norm_chunks", Grids.Blocks(chunks, Threads, device), sums);
        }
        var finish = default(KernelArguments);
        finish.Add(operation.Norm).Add(operation.Scale).Add(device.OperationScratch).Add(chunks).Add(operation.MaximumNorm);
        device.Launch(KernelPrograms.Losses, "gradient_norm_finish", new LaunchShape(1, Threads), finish);
    }
}
