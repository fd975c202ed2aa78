using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of elementwise.cu.</summary>
internal static class ElementwiseLaunches
{
    private static readonly KernelNames FillKernel = new("fill");

    public static void Fill(in Fill operation, CudaDevice device)
    {
        var count = operation.Y.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(count).Add(operation.Value);
        device.Launch(KernelPrograms.Elementwise, FillKernel.For(operation.Y.Type), Grids.Elements(count, device), arguments);
    }
}
