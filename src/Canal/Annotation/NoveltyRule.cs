namespace Canal.Annotation;

/// <summary>How it is decided that a cell is of no known type (method.md section 5).</summary>
public enum NoveltyRule : byte
{
    /// <summary>The distance to the known types in the leading principal components of the panel's genes; stored likewise. The network plays no part.</summary>
    Genes,

    /// <summary>CANAL's score of energy and confidence, against a range and thresholds fitted at the end of the stage and stored.</summary>
    Stored,

    /// <summary>The distance of the representation to the known types, mixed with the stored rule's score; stored likewise.</summary>
    Distance,

    /// <summary>CANAL's published rule: range and threshold from the file itself and from random mixtures of its cells.</summary>
    File,

    /// <summary>scBERT's: the largest probability is below 0.5.</summary>
    Probability,
}

/// <summary>Names of the rules on the command line and in model files.</summary>
public static class NoveltyRules
{
    /// <summary>All names, as the user writes them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Enum.GetNames<NoveltyRule>().Select(name => name.ToLowerInvariant())];

    /// <summary>The rule of a name.</summary>
    /// <exception cref="UserException">There is no such rule; the message lists those there are.</exception>
    public static NoveltyRule Parse(string name)
    {
        for (var rule = 0; rule < Names.Count; rule++)
        {
            if (Names[rule] == name) return (NoveltyRule)rule;
        }
        throw new UserException($"There is no novelty rule '{name}'; choose one of {string.Join(", ", Names)}.");
    }
}

/// <summary>How far a representation is from the known types.</summary>
public enum DistanceMeasure : byte
{
    /// <summary>log(1 + d) of the Mahalanobis distance d to the nearest type's mean, one covariance shared by the types (Lee et al., NeurIPS 2018).</summary>
    Mahalanobis,

    /// <summary>asinh(d - d_0), d_0 to the mean of all cells under the covariance of all cells (Ren et al., 2021): for types near to known ones.</summary>
    RelativeMahalanobis,

    /// <summary>1 - cosine to the nearest type's mean.</summary>
    Cosine,

    /// <summary>1 - cosine to the fifth nearest stored cell (Sun et al., ICML 2022).</summary>
    Neighbours,
}

/// <summary>How novelty is calibrated at the end of a stage. Immutable.</summary>
public sealed record NoveltySettings
{
    /// <summary>T of the energy, CANAL's 0.8.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Share of known cells that the thresholds accept.</summary>
    public double AcceptanceRate { get; init; } = 0.95;

    /// <summary>The distance of <see cref="NoveltyRule.Distance"/>.</summary>
    public DistanceMeasure Measure { get; init; } = DistanceMeasure.Mahalanobis;

    /// <summary>Weight of the distance in <see cref="NoveltyRule.Distance"/>, 0 to 1; the rest is CANAL's score.</summary>
    public double DistanceWeight { get; init; } = 0.5;

    /// <summary>The rule that annotation uses unless told otherwise: <see cref="NoveltyRule.Genes"/> where its statistics are stored.</summary>
    public NoveltyRule Default { get; init; } = NoveltyRule.Stored;
}
