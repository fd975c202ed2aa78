using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Plan;

/// <summary>The device that is planned for: all that its memory and its operations depend on.</summary>
/// <param name="Kind">Decides scratch.</param>
/// <param name="WorkerThreads">Worker threads whose scratch comes from the pool; 0 leaves it out, and where there are none.</param>
/// <param name="Forward">Element type of activations in inference and frozen parts.</param>
/// <param name="Training">Element type of activations where a backward pass follows.</param>
public sealed record PlanTarget(DeviceKind Kind, int WorkerThreads, DType Forward, DType Training)
{
    /// <summary>The processor with a number of worker threads.</summary>
    public static PlanTarget Cpu(int workerThreads) => new(DeviceKind.Cpu, workerThreads, DType.Float32, DType.Float32);

    /// <summary>A CUDA card with an arithmetic.</summary>
    public static PlanTarget Cuda(CudaPrecision precision) => new(DeviceKind.Cuda, 0, precision.Forward, precision.Training);

    /// <summary>A device that is there, or a plan's own target.</summary>
    public static PlanTarget Of(Device device) =>
        new(device.Kind, device.WorkerThreads, device.ActivationType(training: false), device.ActivationType(training: true));
}
