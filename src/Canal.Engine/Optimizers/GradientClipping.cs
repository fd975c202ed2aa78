using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Optimizers;

/// <summary>Clips by the norm of all gradients together, as PyTorch's clip_grad_norm_ does; the factor goes to <see cref="Adam.Step"/>.</summary>
public sealed class GradientClipping : IDisposable
{
    private readonly Device device;
    private readonly Tensor norm, scale;

    /// <summary>Prepares clipping.</summary>
    /// <param name="device">Where the gradients live.</param>
    /// <param name="maximumNorm">Norms above it are scaled down to it; infinity only measures. scBERT: 100.</param>
    public GradientClipping(Device device, float maximumNorm)
    {
        if (!(maximumNorm > 0)) throw new ArgumentOutOfRangeException(nameof(maximumNorm), maximumNorm, "The maximum norm must be positive.");
        this.device = device;
        MaximumNorm = maximumNorm;
        norm = device.Allocate(new Shape(1));
        scale = device.Allocate(new Shape(1));
    }

    /// <summary>The largest norm that passes unchanged.</summary>
    public float MaximumNorm { get; }

    /// <summary>[1]: the norm last measured.</summary>
    public Tensor Norm => norm;

    /// <summary>Measures the gradients and returns the factor, [1], valid until the next call.</summary>
    public Tensor Measure(ParameterSet parameters)
    {
        device.Run(new GradientNorm(norm, scale, parameters.Gradients, MaximumNorm));
        return scale;
    }

    /// <summary>Returns the memory to the device.</summary>
    public void Dispose()
    {
        norm.Storage.Dispose();
        scale.Storage.Dispose();
    }
}
