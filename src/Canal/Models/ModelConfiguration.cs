using Canal.Engine.Layers;
using Canal.Engine.Optimizers;

namespace Canal.Models;

/// <summary>What a model file holds.</summary>
public enum ModelKind : byte
{
    /// <summary>A pre-trained encoder with the masked-expression head; it knows no cell types.</summary>
    Base,

    /// <summary>An encoder with the cell-type head.</summary>
    Annotation,
}

/// <summary>Sizes of a model (method.md sections 2 and 3). Immutable; saved in the model file and checked against the tensors there.</summary>
public sealed record ModelConfiguration
{
    /// <summary>Genes of the panel; a sequence has one trailing token more.</summary>
    public required int Genes { get; init; }

    /// <summary>C: model width; 200 in scBERT. The feed-forward layer is four times as wide.</summary>
    public required int Width { get; init; }

    /// <summary>Number of encoder blocks; 6 in scBERT.</summary>
    public required int Blocks { get; init; }

    /// <summary>H: attention heads; 10 in scBERT.</summary>
    public required int Heads { get; init; }

    /// <summary>D: width of a head; 64 in scBERT. H·D need not be C.</summary>
    public required int HeadWidth { get; init; }

    /// <summary>M: random features of the attention; floor(D ln D) in scBERT.</summary>
    public required int Features { get; init; }

    /// <summary>Rows of the bin embedding: expression bins 0 to 5 and the mask.</summary>
    public int Tokens { get; init; } = 7;

    /// <summary>Units of the manifold layer; 128 in CANAL.</summary>
    public int Manifold { get; init; } = CellTypeHead.ManifoldWidth;

    /// <summary>Units of the representation; 64 in CANAL.</summary>
    public int Representation { get; init; } = CellTypeHead.RepresentationWidth;

    /// <summary>scBERT's geometry over a panel.</summary>
    public static ModelConfiguration ScBert(int genes) =>
        new() { Genes = genes, Width = 200, Blocks = 6, Heads = 10, HeadWidth = 64, Features = EncoderGeometry.DefaultFeatures(64) };

    /// <summary>The encoder's sizes, checked.</summary>
    /// <exception cref="UserException">Says which size is impossible.</exception>
    public EncoderGeometry Encoder()
    {
        try
        {
            return new EncoderGeometry
            {
                Positions = checked(Genes + 1),
                Width = Width,
                Blocks = Blocks,
                Heads = Heads,
                HeadWidth = HeadWidth,
                Features = Features,
                Tokens = Tokens,
            }.Validated();
        }
        catch (Exception error) when (error is ArgumentException or OverflowException)
        {
            throw new UserException(error.Message, error);
        }
    }

    /// <summary>This configuration, if every size is possible.</summary>
    /// <exception cref="UserException">Says which size is not.</exception>
    public ModelConfiguration Validated()
    {
        Encoder();
        if (Manifold is < 1 or > 1 << 14) throw new UserException($"The model's manifold layer has {Manifold} units; it must have from 1 to {1 << 14}.");
        if (Representation is < 1 or > 1 << 14) throw new UserException($"The model's representation has {Representation} units; it must have from 1 to {1 << 14}.");
        // The parameters are one buffer, of which 32 bits count the elements, padding included; tested before anything is drawn.
        var parameters = Specify(1).Sum(s => s.Shape.Count + ParameterSet.AlignmentElements);
        if (parameters > Array.MaxLength)
        {
            throw new UserException($"The model would have {parameters:N0} parameters; {Array.MaxLength:N0} is the most: lower --width or --blocks (\"model\" in a stream file).");
        }
        return this;
    }

    /// <summary>The model's parameters in state_dict order.</summary>
    /// <param name="types">K: number of cell types; 0 for a base model.</param>
    public IReadOnlyList<ParameterSpecification> Specify(int types)
    {
        var encoder = Encoder();
        var head = types == 0 ? MaskedExpressionHead.Specify(encoder) : CellTypeHead.Specify(encoder, types, Manifold, Representation);
        return [.. PerformerEncoder.Specify(encoder), .. head];
    }
}
