using Canal.Engine.Autograd;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Layers;

/// <summary>One pre-norm encoder block: x' = x + Attention(LN(x)), y = x' + FeedForward(LN(x')).</summary>
public sealed class EncoderBlock : IRecomputable<EncoderPass>
{
    private readonly EncoderGeometry geometry;
    private readonly EncoderBlockWeights weights, half;

    /// <summary>Block <paramref name="index"/> of the encoder.</summary>
    public EncoderBlock(ParameterSet parameters, EncoderGeometry geometry, int index)
    {
        this.geometry = geometry;
        AttentionNorm = new LayerNorm(parameters, Name(index, 0) + ".norm");
        Attention = new FavorAttention(parameters, Name(index, 0) + ".fn", geometry);
        FeedForwardNorm = new LayerNorm(parameters, Name(index, 1) + ".norm");
        FeedForward = new FeedForward(parameters, Name(index, 1) + ".fn.fn");
        weights = Weights(DType.Float32);
        half = parameters.HalfType is { } type ? Weights(type) : weights;
    }

    /// <summary>Norm before the attention.</summary>
    public LayerNorm AttentionNorm { get; }

    /// <summary>The attention.</summary>
    public FavorAttention Attention { get; }

    /// <summary>Norm before the feed-forward layer.</summary>
    public LayerNorm FeedForwardNorm { get; }

    /// <summary>The feed-forward layer.</summary>
    public FeedForward FeedForward { get; }

    /// <inheritdoc/>
    public bool Trains => AttentionNorm.Gamma.Trains;

    /// <summary>Runs forward: [B·T, C] to [B·T, C]. One fused operation where no gradient depends on it, operation by operation otherwise.</summary>
    public Variable Forward(Tape tape, Variable x, EncoderPass arguments)
    {
        var depends = x.NeedsGradient || Trains;
        var type = tape.ActivationType(depends);
        if (!(tape.IsRecording && depends) && tape.FusesBlocks && arguments.Scope == KeyMaximumScope.Cell)
        {
            var fused = tape.Allocate(x.Value.Shape, needsGradient: false);
            tape.Device.Run(Fused(fused.Value, x.Value, arguments, type));
            return fused;
        }
        var h = AttentionNorm.Forward(tape, x, type);
        var attended = Attention.Forward(tape, h, x, arguments);
        h.Release();
        h = FeedForwardNorm.Forward(tape, attended, type);
        var y = FeedForward.Forward(tape, h, attended);
        h.Release();
        attended.Release();
        return y;
    }

    /// <summary>The block as one operation, from <paramref name="x"/> to <paramref name="y"/>, [B·T, C] both, with activations of an element type.</summary>
    public EncoderBlockForward Fused(Tensor y, Tensor x, EncoderPass arguments, DType type = DType.Float32) =>
        new(y, x, type == DType.Float32 ? weights : half, geometry.Attention(arguments), LayerNorm.Epsilon);

    /// <summary>The block's queries and keys at its input, [B·T, H·D] each, for gene attention. The caller releases them.</summary>
    public (Variable Queries, Variable Keys) QueriesAndKeys(Tape tape, Variable x)
    {
        var h = AttentionNorm.Forward(tape, x, tape.ActivationType(x.NeedsGradient || Trains));
        var (q, k) = (Attention.Query.Forward(tape, h), Attention.Key.Forward(tape, h));
        h.Release();
        return (q, k);
    }

    internal static IEnumerable<ParameterSpecification> Specify(EncoderGeometry geometry, int index)
    {
        var group = index == geometry.Blocks - 2 || geometry.Blocks == 1 ? ParameterGroup.LastButOneBlock
            : index == geometry.Blocks - 1 ? ParameterGroup.LastBlock
            : ParameterGroup.EarlierBlocks;
        return LayerNorm.Specify(Name(index, 0) + ".norm", geometry.Width, group)
            .Concat(FavorAttention.Specify(Name(index, 0) + ".fn", geometry, group, index))
            .Concat(LayerNorm.Specify(Name(index, 1) + ".norm", geometry.Width, group))
            .Concat(FeedForward.Specify(Name(index, 1) + ".fn.fn", geometry, group));
    }

    private EncoderBlockWeights Weights(DType type) => new(
        AttentionNorm.Gamma.Value, AttentionNorm.Beta.Value,
        Attention.Query.Weight.For(type), Attention.Key.Weight.For(type), Attention.Value.Weight.For(type),
        Attention.Output.Weight.For(type), Attention.Output.Bias!.Value,
        FeedForwardNorm.Gamma.Value, FeedForwardNorm.Beta.Value,
        FeedForward.First.Weight.For(type), FeedForward.First.Bias!.Value, FeedForward.Second.Weight.For(type), FeedForward.Second.Bias!.Value,
        Attention.Projection.Value);

    private static string Name(int block, int half) => $"performer.net.layers.{block}.{half}";
}
