using Canal.Engine.Random;
using Canal.Engine.Tensors;

namespace Canal.Engine.Optimizers;

/// <summary>
/// Where a parameter lies in the master buffer. Every trainable set of method.md section 4 is a suffix of this order, so what trains is
/// one contiguous run, and so are its gradients and moments.
/// </summary>
public enum ParameterGroup : byte
{
    /// <summary>Random projections: drawn, never trained.</summary>
    Projections,

    /// <summary>The gene embedding: frozen where it is gene2vec, trained with everything else where it is learned.</summary>
    GeneEmbedding,

    /// <summary>The bin embedding.</summary>
    BinEmbedding,

    /// <summary>All encoder blocks but the last two.</summary>
    EarlierBlocks,

    /// <summary>The last encoder block.</summary>
    LastBlock,

    /// <summary>The last but one encoder block; the only one of an encoder of one block.</summary>
    LastButOneBlock,

    /// <summary>The final norm and the head.</summary>
    Head,
}

/// <summary>What trains (method.md section 4); the final norm trains with each.</summary>
public enum TrainableSet : byte
{
    /// <summary>Nothing: a model that only predicts.</summary>
    None,

    /// <summary>The final norm and the head.</summary>
    Head,

    /// <summary>CANAL's choice: the last-but-one block, the final norm and the head.</summary>
    LastButOne,

    /// <summary>The last two blocks, the final norm and the head.</summary>
    LastTwo,

    /// <summary>All blocks and the bin embedding as well; the gene embedding stays frozen (gene2vec).</summary>
    AllButGeneEmbedding,

    /// <summary>Everything that can be trained, a learned gene embedding included.</summary>
    All,
}

/// <summary>How a parameter starts, as a fresh PyTorch module would.</summary>
public enum InitialisationKind : byte
{
    /// <summary>Every element is <see cref="Initialisation.Scale"/>.</summary>
    Constant,

    /// <summary>Uniform in ±<see cref="Initialisation.Scale"/>.</summary>
    Uniform,

    /// <summary>Normal with standard deviation <see cref="Initialisation.Scale"/>.</summary>
    Normal,

    /// <summary>A block-orthogonal random projection.</summary>
    Projection,
}

/// <summary>How a parameter starts.</summary>
/// <param name="Kind">The distribution.</param>
/// <param name="Scale">Its size.</param>
/// <param name="Block">The encoder block, for a projection.</param>
public readonly record struct Initialisation(InitialisationKind Kind, double Scale, int Block = 0)
{
    /// <summary>Norm gains start at 1.</summary>
    public static Initialisation One => new(InitialisationKind.Constant, 1.0);

    /// <summary>Norm offsets start at 0.</summary>
    public static Initialisation Zero => new(InitialisationKind.Constant, 0.0);

    /// <summary>A linear layer's weight and bias: uniform in ±1/sqrt(inputs), PyTorch's nn.Linear and nn.Conv2d.</summary>
    public static Initialisation Linear(int inputs) => new(InitialisationKind.Uniform, 1.0 / Math.Sqrt(inputs));

    /// <summary>Draws the values, float64 rounded once, from the stream that belongs to the parameter.</summary>
    /// <param name="values">Written; row-major.</param>
    /// <param name="shape">The parameter's sizes.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="index">The parameter's place in state_dict order.</param>
    public void Fill(Span<float> values, Shape shape, ulong seed, int index)
    {
        if (Kind == InitialisationKind.Projection)
        {
            var blockDraws = new RandomSequence(seed, RandomPurpose.Projection, index: Block);
            BlockOrthogonalProjection.Draw(shape[0], shape[1], ref blockDraws).CopyTo(values);
            return;
        }
        var draws = new RandomSequence(seed, RandomPurpose.Parameters, index: index);
        foreach (ref var value in values)
        {
            value = (float)(Kind switch
            {
                InitialisationKind.Uniform => draws.NextDouble(-Scale, Scale),
                InitialisationKind.Normal => Scale * draws.NextNormal(),
                _ => Scale,
            });
        }
    }
}

/// <summary>One parameter of a model, before it has memory.</summary>
/// <param name="Name">Its name in the reference's PyTorch state_dict (method.md section 8).</param>
/// <param name="Shape">Its sizes there.</param>
/// <param name="Group">Its place in the master buffer.</param>
/// <param name="Start">How it starts.</param>
public sealed record ParameterSpecification(string Name, Shape Shape, ParameterGroup Group, Initialisation Start);
