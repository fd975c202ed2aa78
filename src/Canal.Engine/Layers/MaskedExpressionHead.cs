using Canal.Engine.Autograd;
using Canal.Engine.Optimizers;

namespace Canal.Engine.Layers;

/// <summary>scBERT's pre-training head: a linear layer from the width to the tokens, at every position (method.md section 7).</summary>
public sealed class MaskedExpressionHead
{
    private readonly Linear output;

    /// <summary>The head over its parameters; <see cref="Specify"/> lists them.</summary>
    public MaskedExpressionHead(ParameterSet parameters) => output = new Linear(parameters, "to_out");

    /// <summary>The head's parameters in state_dict order.</summary>
    public static IEnumerable<ParameterSpecification> Specify(EncoderGeometry geometry) =>
        Linear.Specify("to_out", geometry.Width, geometry.Tokens, ParameterGroup.Head);

    /// <summary>Logits [B·T, tokens] from [B·T, C] after the final norm.</summary>
    public Variable Forward(Tape tape, Variable y) => output.Forward(tape, y);
}
