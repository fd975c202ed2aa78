using Canal.Engine.Autograd;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Layers;

/// <summary>
/// scBERT's encoder: bin and gene embeddings, Performer blocks, a final norm. Any block can be the first to run, so that what is frozen can
/// be computed once (method.md section 6).
/// </summary>
public sealed class PerformerEncoder
{
    /// <summary>
    /// Standard deviation of a learned gene embedding at the start. Bins start at 1 as nn.Embedding does; genes at half of that, so that
    /// after the first norm what a cell expresses outweighs which gene it is, while genes are told apart from the first step.
    /// </summary>
    public const double GeneEmbeddingScale = 0.5;

    private readonly EncoderBlock[] blocks;
    private readonly Parameter binEmbedding, geneEmbedding;

    /// <summary>The encoder over its parameters; <see cref="Specify"/> lists them.</summary>
    public PerformerEncoder(ParameterSet parameters, EncoderGeometry geometry)
    {
        Geometry = geometry.Validated();
        binEmbedding = parameters["token_emb.weight"];
        geneEmbedding = parameters["pos_emb.emb.weight"];
        blocks = [.. Enumerable.Range(0, geometry.Blocks).Select(index => new EncoderBlock(parameters, geometry, index))];
        Norm = new LayerNorm(parameters, "norm");
    }

    /// <summary>Sizes.</summary>
    public EncoderGeometry Geometry { get; }

    /// <summary>The blocks, first to last.</summary>
    public IReadOnlyList<EncoderBlock> Blocks => blocks;

    /// <summary>The final norm.</summary>
    public LayerNorm Norm { get; }

    /// <summary>How many blocks from the first on are constant while training, and with them the input of the next: 0 if the embedding trains.</summary>
    public int FrozenBlocks
    {
        get
        {
            if (binEmbedding.Trains || geneEmbedding.Trains) return 0;
            var first = Array.FindIndex(blocks, block => block.Trains);
            return first < 0 ? blocks.Length : first;
        }
    }

    /// <summary>The encoder's parameters in state_dict order.</summary>
    public static IEnumerable<ParameterSpecification> Specify(EncoderGeometry geometry)
    {
        geometry.Validated();
        yield return new("token_emb.weight", new Shape(geometry.Tokens, geometry.Width), ParameterGroup.BinEmbedding, new(InitialisationKind.Normal, 1.0));
        yield return new("pos_emb.emb.weight", new Shape(geometry.Positions, geometry.Width), ParameterGroup.GeneEmbedding,
            new(InitialisationKind.Normal, GeneEmbeddingScale));
        for (var block = 0; block < geometry.Blocks; block++)
        {
            foreach (var specification in EncoderBlock.Specify(geometry, block)) yield return specification;
        }
        foreach (var specification in LayerNorm.Specify("norm", geometry.Width, ParameterGroup.Head)) yield return specification;
    }

    /// <summary>Bin plus gene embedding. Tokens UInt8 [B, T], kept by the caller until after the backward pass; returns [B·T, C].</summary>
    public Variable Embed(Tape tape, Tensor tokens) => EmbeddingStep.Run(tape, tokens, binEmbedding, geneEmbedding);

    /// <summary>Runs blocks <paramref name="first"/> to <paramref name="end"/> - 1, without the final norm.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[B·T, C], input of the first of them; the caller goes on holding it.</param>
    /// <param name="pass">Cells, scope, recomputation.</param>
    /// <param name="first">First block to run.</param>
    /// <param name="end">One past the last block to run.</param>
    /// <returns>[B·T, C]; a hold of the caller's own even where no block runs.</returns>
    public Variable RunBlocks(Tape tape, Variable x, EncoderPass pass, int first, int end)
    {
        var current = x.Hold();
        for (var index = first; index < end; index++)
        {
            var next = pass.Recompute
                ? RecomputeStep<EncoderPass>.Run(tape, blocks[index], current, pass)
                : blocks[index].Forward(tape, current, pass);
            current.Release();
            current = next;
        }
        return current;
    }

    /// <summary>Runs blocks from <paramref name="first"/> to the last, and the final norm.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[B·T, C], input of block <paramref name="first"/>; the caller goes on holding it.</param>
    /// <param name="pass">Cells, scope, recomputation.</param>
    /// <param name="first">First block to run, 0 for all.</param>
    /// <returns>[B·T, C].</returns>
    public Variable Forward(Tape tape, Variable x, EncoderPass pass, int first = 0)
    {
        var last = RunBlocks(tape, x, pass, first, blocks.Length);
        var y = Norm.Forward(tape, last);
        last.Release();
        return y;
    }

    /// <summary>
    /// Adds gene attention at the blocks' inputs (method.md section 5): scores[b, j] += the weighted column sums of every block's
    /// attention matrices.
    /// </summary>
    /// <param name="tape">A tape for inference.</param>
    /// <param name="tokens">UInt8 [B, T].</param>
    /// <param name="scores">[B, T], accumulated.</param>
    /// <param name="headWeights">[blocks, H]: weight of each head of each block; 1 / (blocks · H · T) for all is the mean over rows, heads and blocks.</param>
    /// <param name="pass">Cells and scope.</param>
    public void AddGeneAttention(Tape tape, Tensor tokens, Tensor scores, Tensor headWeights, EncoderPass pass)
    {
        var x = Embed(tape, tokens);
        for (var index = 0; index < blocks.Length; index++)
        {
            var (q, k) = blocks[index].QueriesAndKeys(tape, x);
            tape.Device.Run(new GeneAttention(scores, q.Value, k.Value, blocks[index].Attention.Projection.Value,
                headWeights.Slice(index, 1).Reshape(new Shape(Geometry.Heads)), Geometry.Attention(pass)));
            q.Release();
            k.Release();
            if (index == blocks.Length - 1) break;
            var next = blocks[index].Forward(tape, x, pass);
            x.Release();
            x = next;
        }
        x.Release();
    }
}
