using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of gelu.cu.</summary>
internal static class GeluLaunches
{
    private static readonly KernelNames ForwardKernel = new("gelu_forward"), BackwardKernel = new("gelu_backward");

    public static void Forward(in GeluForward operation, CudaDevice device)
    {
        var count = operation.X.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(operation.X).Add(operation.Bias).Add(count).Add(operation.Columns);
        device.Launch(KernelPrograms.Elementwise, ForwardKernel.For(operation.X.Type), Grids.Eights(count, device), arguments);
    }

    public static void Backward(in GeluBackward operation, CudaDevice device)
    {
        var count = operation.X.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.DX).Add(operation.DY).Add(operation.X).Add(operation.Bias).Add(count).Add(operation.Columns).Add(operation.Accumulate);
        device.Launch(KernelPrograms.Elementwise, BackwardKernel.For(operation.X.Type), Grids.Eights(count, device), arguments);
    }
}
