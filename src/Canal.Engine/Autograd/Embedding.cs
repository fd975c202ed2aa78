using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Autograd;

/// <summary>Bin embedding plus gene embedding, scBERT's input layer. Saves nothing but the view of the tokens.</summary>
public sealed class EmbeddingStep : Step
{
    private Tensor tokens;
    private Parameter bins = null!, genes = null!;

    /// <summary>Runs forward and records what is needed.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="tokens">UInt8 [B, T]; the caller keeps it until after the backward pass.</param>
    /// <param name="bins">[tokens, C].</param>
    /// <param name="genes">[T, C].</param>
    /// <returns>[B·T, C].</returns>
    public static Variable Run(Tape tape, Tensor tokens, Parameter bins, Parameter genes)
    {
        var x = tape.Allocate(new Shape(tokens.Shape[0] * tokens.Shape[1], bins.Shape[1]), bins.Trains || genes.Trains);
        tape.Device.Run(new EmbeddingForward(x.Value, tokens, bins.Value, genes.Value));
        if (x.NeedsGradient)
        {
            var step = tape.Rent<EmbeddingStep>();
            (step.tokens, step.bins, step.genes) = (tokens, bins, genes);
            tape.Record(step, x);
        }
        return x;
    }

    /// <inheritdoc/>
    public override void Backward(Tape tape) => tape.Device.Run(new EmbeddingBackward(bins.Gradient, genes.Gradient, Output!.Gradient, tokens));

    /// <inheritdoc/>
    public override void Release() => (tokens, bins, genes) = (Tensor.None, null!, null!);
}
