namespace Canal.Annotation;

/// <summary>
/// What a stage leaves in the model so that one cell gets one verdict, whatever file it comes in: the energy range and thresholds of cells
/// of the validation fold, of all stages seen, and where the types lie (method.md section 5). Immutable.
/// </summary>
public sealed record NoveltyCalibration
{
    /// <summary>How it was fitted.</summary>
    public required NoveltySettings Settings { get; init; }

    /// <summary>Smallest and largest energy of the validation cells.</summary>
    public required (double Lowest, double Highest) EnergyRange { get; init; }

    /// <summary>Smallest and largest distance of the validation cells.</summary>
    public required (double Lowest, double Highest) DistanceRange { get; init; }

    /// <summary>Thresholds of <see cref="NoveltyRule.Stored"/>.</summary>
    public required NoveltyThresholds Stored { get; init; }

    /// <summary>Thresholds of <see cref="NoveltyRule.Distance"/>.</summary>
    public required NoveltyThresholds Distance { get; init; }

    /// <summary>Where the types lie.</summary>
    public required RepresentationStatistics Statistics { get; init; }

    /// <summary>Where the known cells lie among genes; null in models of versions that had no <see cref="NoveltyRule.Genes"/>.</summary>
    public GeneStatistics? Genes { get; init; }

    /// <summary>Thresholds of <see cref="NoveltyRule.Genes"/>, one a population; null without <see cref="Genes"/>.</summary>
    public NoveltyThresholds? GeneThresholds { get; init; }

    /// <summary>Number of validation cells it stands on.</summary>
    public required int Cells { get; init; }

    /// <summary>Number of known types when it was fitted.</summary>
    public int Types => Stored.Types.Length;

    /// <summary>Fits a calibration at the end of a stage.</summary>
    /// <param name="settings">How.</param>
    /// <param name="training">Training cells (the stage's and the bank's) under the new model: where the types lie.</param>
    /// <param name="trainingLabels">Their types.</param>
    /// <param name="validation">Validation cells of all stages seen under the new model; never cells trained on.</param>
    /// <returns>Null where there are no validation cells: annotation then falls back on <see cref="NoveltyRule.Probability"/>.</returns>
    public static NoveltyCalibration? Fit(NoveltySettings settings, CellOutputs training, IReadOnlyList<int> trainingLabels, CellOutputs validation) =>
        Fit(settings, RepresentationStatistics.Of(training, trainingLabels), validation);

    /// <summary>Fits a calibration with given statistics, so that several settings can be compared without computing those again.</summary>
    public static NoveltyCalibration? Fit(NoveltySettings settings, RepresentationStatistics statistics, CellOutputs validation)
    {
        if (validation.Cells == 0) return null;
        var certainties = Enumerable.Range(0, validation.Cells).Select(cell => Certainty.Of(validation.LogitsOf(cell), settings.Temperature)).ToArray();
        var distances = Enumerable.Range(0, validation.Cells).Select(cell => statistics.Distance(settings.Measure, validation.RepresentationOf(cell))).ToArray();
        var none = new NoveltyThresholds([.. new double[validation.Types]], 1);
        var ranges = new NoveltyCalibration
        {
            Settings = settings,
            EnergyRange = (certainties.Min(c => c.Energy), certainties.Max(c => c.Energy)),
            DistanceRange = (distances.Min(), distances.Max()),
            Stored = none,
            Distance = none,
            Statistics = statistics,
            Cells = validation.Cells,
        };
        var predicted = Array.ConvertAll(certainties, c => c.Type);
        return ranges with
        {
            Stored = NoveltyThresholds.Fit(validation.Types, predicted, [.. certainties.Select(ranges.StoredScore)], settings.AcceptanceRate),
            Distance = NoveltyThresholds.Fit(validation.Types, predicted, [.. certainties.Select((c, cell) => ranges.DistanceScore(c, distances[cell]))], settings.AcceptanceRate),
        };
    }

    /// <summary>Adds <see cref="NoveltyRule.Genes"/> and makes it the default.</summary>
    /// <param name="statistics">Of training cells (the stage's and the bank's).</param>
    /// <param name="thresholds">Its thresholds, from validation cells of all stages seen.</param>
    public NoveltyCalibration WithGenes(GeneStatistics statistics, NoveltyThresholds thresholds) =>
        this with { Settings = Settings with { Default = NoveltyRule.Genes }, Genes = statistics, GeneThresholds = thresholds };

    /// <summary>CANAL's score on the stored range; not clipped.</summary>
    public double StoredScore(Certainty certainty) => certainty.Novelty(EnergyRange.Lowest, EnergyRange.Highest);

    /// <summary>CANAL's score mixed with the distance on its stored range; not clipped.</summary>
    public double DistanceScore(Certainty certainty, double distance) =>
        (Settings.DistanceWeight * Certainty.MinMax(distance, DistanceRange.Lowest, DistanceRange.Highest)) + ((1 - Settings.DistanceWeight) * StoredScore(certainty));
}
