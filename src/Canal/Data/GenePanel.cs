namespace Canal.Data;

/// <summary>The genes a model looks at, a subset of its vocabulary in the vocabulary's order. A cell's sequence is the panel and one trailing token.</summary>
public sealed class GenePanel
{
    private readonly int[] genes;
    private readonly int[] positions;

    /// <summary>A panel of vocabulary places, ascending and distinct.</summary>
    public GenePanel(GeneVocabulary vocabulary, IReadOnlyList<int> genes)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        ArgumentNullException.ThrowIfNull(genes);
        (Vocabulary, this.genes) = (vocabulary, [.. genes]);
        positions = new int[vocabulary.Count];
        Array.Fill(positions, -1);
        if (this.genes.Length == 0) throw new ArgumentException("A gene panel needs genes.", nameof(genes));
        for (var i = 0; i < this.genes.Length; i++)
        {
            if (this.genes[i] < 0 || this.genes[i] >= vocabulary.Count || (i > 0 && this.genes[i] <= this.genes[i - 1]))
            {
                throw new ArgumentException($"Panel gene {i} is {this.genes[i]}: places must ascend within the vocabulary of {vocabulary.Count}.", nameof(genes));
            }
            positions[this.genes[i]] = i;
        }
    }

    /// <summary>The vocabulary that the panel is part of; cells are normalised over all of it.</summary>
    public GeneVocabulary Vocabulary { get; }

    /// <summary>Number of genes.</summary>
    public int Count => genes.Length;

    /// <summary>Vocabulary place of each panel gene, ascending.</summary>
    public IReadOnlyList<int> Genes => genes;

    /// <summary>Symbols of the panel genes.</summary>
    public IReadOnlyList<string> Symbols => [.. genes.Select(g => Vocabulary.Symbols[g])];

    /// <summary>Position in the panel of a vocabulary gene; -1 where it is not in the panel.</summary>
    public int PositionOf(int vocabularyGene) => positions[vocabularyGene];

    /// <summary>The whole vocabulary as a panel (scBERT).</summary>
    public static GenePanel All(GeneVocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return new GenePanel(vocabulary, [.. Enumerable.Range(0, vocabulary.Count)]);
    }
}
