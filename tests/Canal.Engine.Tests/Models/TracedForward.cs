using Canal.Engine.Autograd;
using Canal.Engine.Layers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Models;

/// <summary>The encoder and head layer by layer, every activation kept under the name it has in the golden fixtures.</summary>
internal sealed class TracedForward
{
    private readonly Dictionary<string, Variable> activations = [];

    public TracedForward(CellTypeModel model, Tape tape, Tensor tokens, EncoderPass pass)
    {
        var x = Keep("embed", model.Encoder.Embed(tape, tokens));
        for (var index = 0; index < model.Geometry.Blocks; index++) x = Block(model, tape, index, x, pass);
        var y = Keep("final_norm", model.Encoder.Norm.Forward(tape, x));
        Output = model.Head.Forward(tape, y, pass.Cells);
        Keep("conv_relu", Output.Filtered);
        Keep("manifold", Output.Manifold);
        Keep("representation", Output.Representation);
        Keep("logits", Output.Logits);
    }

    public CellTypeOutput Output { get; }

    public IReadOnlyDictionary<string, Variable> Activations => activations;

    private Variable Block(CellTypeModel model, Tape tape, int index, Variable x, EncoderPass pass)
    {
        var block = model.Encoder.Blocks[index];
        var name = $"layer{index}.";
        var type = tape.ActivationType(x.NeedsGradient || block.Trains);
        var h = Keep(name + "attn.norm", block.AttentionNorm.Forward(tape, x, type));
        var q = Keep(name + "attn.q", block.Attention.Query.Forward(tape, h));
        var k = Keep(name + "attn.k", block.Attention.Key.Forward(tape, h));
        var v = Keep(name + "attn.v", block.Attention.Value.Forward(tape, h));
        var attended = Keep(name + "attn.fast", FavorAttentionStep.Run(tape, q, k, v, block.Attention.Projection, model.Geometry.Attention(pass)));
        var sum = Keep(name + "post_attn", block.Attention.Output.Forward(tape, attended, x));
        h = Keep(name + "ff.norm", block.FeedForwardNorm.Forward(tape, sum, type));
        var hidden = Keep(name + "ff.w1", block.FeedForward.First.Forward(tape, h));
        var activated = Keep(name + "ff.gelu", GeluStep.Run(tape, hidden));
        return Keep(name + "post_ff", block.FeedForward.Second.Forward(tape, activated, sum));
    }

    private Variable Keep(string name, Variable variable)
    {
        activations[name] = variable.KeepGradient();
        return variable;
    }
}
