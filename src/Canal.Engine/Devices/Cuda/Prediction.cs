using Canal.Engine.Operations;

namespace Canal.Engine.Devices.Cuda;

/// <summary>Launches of prediction.cu and manifold_mixing.cu.</summary>
internal static class PredictionLaunches
{
    private const int Lanes = 32;

    public static void Predict(in Prediction operation, CudaDevice device)
    {
        operation.RequireTemperature();
        var (cells, types) = (operation.Logits.Shape.Rows, operation.Logits.Shape.Columns);
        if (cells == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Types).Add(operation.Probabilities).Add(operation.Energy).Add(operation.Logits).Add(cells).Add(types).Add(operation.Temperature);
        device.Launch(KernelPrograms.Losses, "prediction", Grids.Elements((long)cells * Lanes, device), arguments);
    }

    public static void Mix(in ManifoldMixing operation, CudaDevice device)
    {
        if (operation.Mixed.Count == 0) return;
        var arguments = default(KernelArguments);
        arguments.Add(operation.Mixed).Add(operation.Own).Add(operation.Partner).Add(operation.Weights)
            .Add((int)operation.Weights.Count).Add(operation.Weights.Shape[1]).Add(operation.Own.Shape[1]);
        device.Launch(KernelPrograms.Losses, "manifold_mixing", Grids.Elements(operation.Weights.Count * Lanes, device), arguments);
    }
}
