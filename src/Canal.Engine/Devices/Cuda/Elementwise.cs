using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of elementwise.cu and bias.cu.</summary>
internal static class ElementwiseLaunches
{
    private static readonly KernelNames FillKernel = new("fill"), AddKernel = new("add"), BroadcastKernel = new("broadcast_bias");
    private static readonly KernelNames ToFloat32 = new("convert_f32"), ToFloat16 = new("convert_f16"), ToBFloat16 = new("convert_bf16");

    public static void Fill(in Fill operation, CudaDevice device)
    {
        var count = operation.Y.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(count).Add(operation.Value);
        device.Launch(KernelPrograms.Elementwise, FillKernel.For(operation.Y.Type), Grids.Eights(count, device), arguments);
    }

    public static void Add(in Add operation, CudaDevice device)
    {
        var count = operation.Y.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(operation.X).Add(count);
        device.Launch(KernelPrograms.Elementwise, AddKernel.For(operation.Y.Type), Grids.Eights(count, device), arguments);
    }

    public static void Convert(in Operations.Convert operation, CudaDevice device)
    {
        var count = operation.Y.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(operation.X).Add(count);
        var kernel = operation.Y.Type switch { DType.Float16 => ToFloat16, DType.BFloat16 => ToBFloat16, _ => ToFloat32 };
        device.Launch(KernelPrograms.Elementwise, kernel.For(operation.X.Type), Grids.Eights(count, device), arguments);
    }

    public static void BroadcastBias(in BroadcastBias operation, CudaDevice device)
    {
        var count = operation.Y.Count;
        if (count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Y).Add(operation.Bias).Add(operation.Residual).Add(operation.Y.Shape.Rows).Add(operation.Y.Shape.Columns);
        device.Launch(KernelPrograms.Elementwise, BroadcastKernel.For(operation.Y.Type), Grids.Eights(count, device), arguments);
    }
}
