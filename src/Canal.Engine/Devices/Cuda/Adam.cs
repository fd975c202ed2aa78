using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of adam.cu and gradient_norm.cu.</summary>
internal static class AdamLaunches
{
    private const int Threads = 256;
    private static readonly KernelNames UpdateKernel = new("adam");

    public static void Update(in AdamUpdate operation, CudaDevice device)
    {
        var count = operation.Parameters.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Parameters).Add(operation.FirstMoment).Add(operation.SecondMoment).Add(operation.LargestSecondMoment).Add(operation.HalfCopy)
            .Add(operation.Gradients).Add(operation.GradientScale).Add(operation.Coefficients).Add(count)
            .Add((float)operation.Beta1).Add((float)(1 - operation.Beta1)).Add((float)operation.Beta2).Add((float)(1 - operation.Beta2)).Add((float)operation.Epsilon);
        var kernel = UpdateKernel.For(operation.HalfCopy.IsNone ? DType.Float32 : operation.HalfCopy.Type);
        device.Launch(KernelPrograms.Losses, kernel, Grids.Elements(count, device), arguments);
    }

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
