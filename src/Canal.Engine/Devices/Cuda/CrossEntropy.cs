using System.Numerics;
using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of cross_entropy.cu.</summary>
internal static class CrossEntropyLaunches
{
    public static void Forward(in CrossEntropyForward operation, CudaDevice device)
    {
        var (rows, types) = (operation.Logits.Shape.Rows, operation.Logits.Shape.Columns);
        if (rows == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Loss).Add(operation.Logits).Add(operation.Labels).Add(rows).Add(types).Add(operation.Smoothing);
        device.Launch(KernelPrograms.Losses, "cross_entropy_forward", Shape(rows, types, device), arguments);
    }

    public static void Backward(in CrossEntropyBackward operation, CudaDevice device)
    {
        var (rows, types) = (operation.Logits.Shape.Rows, operation.Logits.Shape.Columns);
        if (operation.Logits.Count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.DLogits).Add(operation.Logits).Add(operation.Labels).Add(operation.RowWeight).Add(rows).Add(types).Add(operation.Smoothing).Add(operation.Scale);
        device.Launch(KernelPrograms.Losses, "cross_entropy_backward", Shape(rows, types, device), arguments);
    }

    // As row_lanes in common.cuh: the power of two of lanes that holds a row, at most a warp.
    private static LaunchShape Shape(int rows, int types, CudaDevice device) =>
        Grids.Elements(rows * (long)Math.Min(32, BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, types))), device);
}
