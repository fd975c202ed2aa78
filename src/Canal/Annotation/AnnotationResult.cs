namespace Canal.Annotation;

/// <summary>What is said of the cells of a data set, in the order of <see cref="Rows"/>.</summary>
public sealed record AnnotationResult
{
    /// <summary>Types that a cell is given, best first.</summary>
    public const int TopTypes = 3;

    /// <summary>Names of the known types, by index.</summary>
    public required IReadOnlyList<string> Types { get; init; }

    /// <summary>Row of each cell in its file.</summary>
    public required IReadOnlyList<int> Rows { get; init; }

    /// <summary>Ids of the cells.</summary>
    public required IReadOnlyList<string> CellIds { get; init; }

    /// <summary>[cells, 3]: indices of the most probable types, best first; -1 where there are fewer types.</summary>
    public required int[] Best { get; init; }

    /// <summary>[cells, 3]: their probabilities, 0 to 1; the first is the confidence.</summary>
    public required float[] Probabilities { get; init; }

    /// <summary>[cells]: E = -T log sum exp(logit / T).</summary>
    public required float[] Energy { get; init; }

    /// <summary>[cells]: 0 to 1, above 0.5 is novel; ordered without clipping.</summary>
    public required double[] Novelty { get; init; }

    /// <summary>[cells]: expressed too few genes to be trusted.</summary>
    public required IReadOnlyList<bool> LowQuality { get; init; }

    /// <summary>[cells, width]: representations.</summary>
    public required float[] Representations { get; init; }

    /// <summary>Width of a representation.</summary>
    public required int Width { get; init; }

    /// <summary>The rule that decided novelty.</summary>
    public required NoveltyRule Rule { get; init; }

    /// <summary>[cells]: majority label of the cell's cluster; null without clusters.</summary>
    public IReadOnlyList<ClusterLabel>? Clusters { get; init; }

    /// <summary>Number of cells.</summary>
    public int Count => Rows.Count;

    /// <summary>Whether a cell is of no known type.</summary>
    public bool IsNovel(int cell) => Novelty[cell] > 0.5;

    /// <summary>The label that is written: the best type, or <c>Unassigned</c>.</summary>
    public string LabelOf(int cell) => IsNovel(cell) ? Models.CellTypeLibrary.Unassigned : Types[Best[TopTypes * cell]];

    /// <summary>The best type, even of a novel cell.</summary>
    public string BestOf(int cell) => Types[Best[TopTypes * cell]];

    /// <summary>The type of a place, 0-based; null where there are fewer types.</summary>
    public string? TypeAt(int cell, int place) => Best[(TopTypes * cell) + place] is var type and >= 0 ? Types[type] : null;

    /// <summary>Why a label should be looked at: <c>novel</c>, <c>low-quality</c>, joined by a semicolon; empty where nothing is amiss.</summary>
    public string ReasonOf(int cell) => (IsNovel(cell), LowQuality[cell]) switch
    {
        (true, true) => "novel;low-quality",
        (true, false) => "novel",
        (false, true) => "low-quality",
        _ => "",
    };
}

/// <summary>The label that most cells of a cluster have.</summary>
/// <param name="Label">The label; ties go to the one with the larger sum of confidence, then to the first by name.</param>
/// <param name="Confidence">Share of the cluster's cells with that label.</param>
public readonly record struct ClusterLabel(string Label, double Confidence);
