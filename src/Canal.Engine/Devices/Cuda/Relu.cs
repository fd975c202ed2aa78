using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of relu.cu.</summary>
internal static class ReluLaunches
{
    private static readonly KernelNames ForwardKernel = new("relu_forward"), BackwardKernel = new("relu_backward");

    public static void Forward(in ReluForward operation, CudaDevice device)
    {
        var count = operation.X.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(operation.X).Add(count);
        device.Launch(KernelPrograms.Elementwise, ForwardKernel.For(operation.X.Type), Grids.Eights(count, device), arguments);
    }

    public static void Backward(in ReluBackward operation, CudaDevice device)
    {
        var count = operation.Y.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.DX).Add(operation.DY).Add(operation.Y).Add(count).Add(operation.Accumulate);
        device.Launch(KernelPrograms.Elementwise, BackwardKernel.For(operation.Y.Type), Grids.Eights(count, device), arguments);
    }
}
