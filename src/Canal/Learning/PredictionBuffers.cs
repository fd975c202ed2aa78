using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Learning;

/// <summary>Reused device and host memory for the predictions of one micro-batch.</summary>
internal sealed class PredictionBuffers(Device device, int cells) : IDisposable
{
    private readonly Tensor types = device.Allocate(DType.Int32, new Shape(cells, 3));
    private readonly Tensor probabilities = device.Allocate(new Shape(cells, 3));
    private readonly Tensor energy = device.Allocate(new Shape(cells));

    /// <summary>[cells, 3]: best types first, -1 where there are fewer.</summary>
    public int[] Types { get; } = new int[3 * cells];

    /// <summary>[cells, 3]: their probabilities.</summary>
    public float[] Probabilities { get; } = new float[3 * cells];

    /// <summary>[cells].</summary>
    public float[] Energy { get; } = new float[cells];

    /// <summary>Predicts from the logits of a whole micro-batch and reads the result.</summary>
    public PredictionBuffers Run(Tensor logits, float temperature)
    {
        device.Run(new Prediction(types, probabilities, energy, logits, temperature));
        device.Read<int>(Types, types);
        device.Read<float>(Probabilities, probabilities);
        device.Read<float>(Energy, energy);
        return this;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        types.Storage.Dispose();
        probabilities.Storage.Dispose();
        energy.Storage.Dispose();
    }
}
