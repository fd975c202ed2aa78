namespace Canal.Annotation;

/// <summary>Scores cells of any file by a rule that depends on the cell alone: all rules but <see cref="NoveltyRule.File"/> (see <see cref="FileNovelty"/>).</summary>
public sealed class NoveltyDetector
{
    private readonly NoveltyCalibration? calibration;

    /// <summary>A detector by one rule.</summary>
    /// <param name="rule">Genes, stored, distance or probability.</param>
    /// <param name="calibration">What the model stores; may be null for <see cref="NoveltyRule.Probability"/>.</param>
    /// <exception cref="UserException">The rule needs a calibration that the model does not have.</exception>
    public NoveltyDetector(NoveltyRule rule, NoveltyCalibration? calibration)
    {
        if (rule == NoveltyRule.File) throw new ArgumentException("CANAL's published rule looks at the whole file.", nameof(rule));
        if (rule != NoveltyRule.Probability && calibration is null)
        {
            throw new UserException("The model stores no novelty calibration (it had no validation cells); use --novelty probability or --novelty file.");
        }
        if (rule == NoveltyRule.Genes && calibration!.Genes is null)
        {
            throw new UserException("An earlier version of Canal made the model: it stores no statistics of genes; use --novelty stored, or learn the last stage again.");
        }
        (Rule, this.calibration) = (rule, calibration);
    }

    /// <summary>The rule.</summary>
    public NoveltyRule Rule { get; }

    /// <summary>The rule that a model suggests: the stored default, or the probability where nothing is stored.</summary>
    public static NoveltyRule DefaultRule(NoveltyCalibration? calibration) => calibration?.Settings.Default ?? NoveltyRule.Probability;

    /// <summary>Novelty of every cell, above 0 and below 1; above 0.5 is novel. Not for <see cref="NoveltyRule.Genes"/>.</summary>
    public double[] Score(CellOutputs cells) => [.. Enumerable.Range(0, cells.Cells).Select(cell => Score(cells.LogitsOf(cell), cells.RepresentationOf(cell)))];

    /// <summary>Novelty of one cell by what the network says of it; above 0.5 is novel. Not for <see cref="NoveltyRule.Genes"/>.</summary>
    public double Score(ReadOnlySpan<float> logits, ReadOnlySpan<float> representation) => Rule == NoveltyRule.Genes
        ? throw new InvalidOperationException("This rule looks at tokens.")
        : Score(logits, representation, [], []);

    /// <summary>Novelty of one cell; above 0.5 is novel.</summary>
    /// <param name="logits">[K].</param>
    /// <param name="representation">Its representation.</param>
    /// <param name="positions">Panel positions of its non-zero tokens.</param>
    /// <param name="bins">The expression bins there.</param>
    public double Score(ReadOnlySpan<float> logits, ReadOnlySpan<float> representation, ReadOnlySpan<ushort> positions, ReadOnlySpan<byte> bins)
    {
        if (Rule == NoveltyRule.Genes)
        {
            var nearest = calibration!.Genes!.Nearest(positions, bins);
            return calibration.GeneThresholds!.Written(nearest.Distance, nearest.Population);
        }
        var certainty = Certainty.Of(logits, calibration?.Settings.Temperature ?? 1);
        return Rule switch
        {
            NoveltyRule.Stored => calibration!.Stored.Written(calibration.StoredScore(certainty), certainty.Type),
            NoveltyRule.Distance => calibration!.Distance.Written(
                calibration.DistanceScore(certainty, calibration.Statistics.Distance(calibration.Settings.Measure, representation)), certainty.Type),
            _ => 1 - certainty.Confidence,
        };
    }
}
