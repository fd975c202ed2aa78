using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Optimizers;

namespace Canal.Engine.Layers;

/// <summary>residual + W2 gelu(W1 h + b1) + b2, with the exact GELU.</summary>
public sealed class FeedForward
{
    /// <summary>The layer whose parameters are <paramref name="name"/>.w1 and .w2.</summary>
    public FeedForward(ParameterSet parameters, string name)
    {
        First = new Linear(parameters, name + ".w1");
        Second = new Linear(parameters, name + ".w2");
    }

    /// <summary>[F, C].</summary>
    public Linear First { get; }

    /// <summary>[C, F].</summary>
    public Linear Second { get; }

    /// <summary>Runs forward: h and residual [N, C] to [N, C].</summary>
    public Variable Forward(Tape tape, Variable h, Variable residual)
    {
        // A card adds the first bias where GELU reads the hidden units: two passes over them less than to preload the product with it.
        var late = tape.Device.Kind == DeviceKind.Cuda ? First.Bias : null;
        var hidden = late is null ? First.Forward(tape, h) : LinearStep.Run(tape, h, First.Weight, bias: null);
        var activated = GeluStep.Run(tape, hidden, late);
        hidden.Release();
        var y = Second.Forward(tape, activated, residual);
        activated.Release();
        return y;
    }

    internal static IEnumerable<ParameterSpecification> Specify(string name, EncoderGeometry geometry, ParameterGroup group) =>
        Linear.Specify(name + ".w1", geometry.Width, geometry.FeedForwardWidth, group)
            .Concat(Linear.Specify(name + ".w2", geometry.FeedForwardWidth, geometry.Width, group));
}
