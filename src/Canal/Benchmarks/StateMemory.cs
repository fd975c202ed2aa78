using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Benchmarks;

/// <summary>Memory for what the forward pass of FAVOR+ leaves for the backward pass.</summary>
internal sealed class StateMemory(Device device, FavorSizes sizes) : IDisposable
{
    /// <summary>The tensors.</summary>
    public FavorState State { get; } = new(
        device.Allocate(new Shape(sizes.Cells, sizes.Heads, sizes.Features, sizes.HeadWidth)),
        device.Allocate(new Shape(sizes.Cells, sizes.Heads, sizes.Features)),
        device.Allocate(new Shape(sizes.Cells, sizes.Heads, sizes.HeadWidth)),
        device.Allocate(new Shape(sizes.Maxima)),
        device.Allocate(DType.Int32, new Shape(sizes.Maxima, 4)));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in (Tensor[])[State.Sums, State.Normalisers, State.MeanValues, State.KeyMaximum, State.KeyMaximumAt]) tensor.Storage.Dispose();
    }
}
