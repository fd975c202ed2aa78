using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of distillation.cu.</summary>
internal static class DistillationLaunches
{
    private const int Threads = 256;

    public static void Forward(in DistillationForward operation, CudaDevice device)
    {
        var arguments = default(KernelArguments);
        arguments.Add(operation.Loss).Add(operation.Z).Add(operation.ZPrevious).Add(operation.Z.Count).Add(operation.Weight);
        device.Launch(KernelPrograms.Losses, "distillation_forward", new LaunchShape(1, Threads), arguments);
    }

    public static void Backward(in DistillationBackward operation, CudaDevice device)
    {
        var count = operation.Z.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.DZ).Add(operation.Z).Add(operation.ZPrevious).Add(count).Add((float)(2.0 * operation.Weight / count));
        device.Launch(KernelPrograms.Losses, "distillation_backward", Grids.Elements(count, device), arguments);
    }
}
