using System.Globalization;

namespace Canal.Annotation;

/// <summary>When verdicts on novelty are worth little: what the user should know of a file as a whole.</summary>
public static class NoveltyWarnings
{
    /// <summary>Share of the cells that must be accepted; calibration accepts 0.95 of known cells.</summary>
    public const double FewestAccepted = 0.5;

    /// <summary>Cells below which a share says nothing.</summary>
    public const int FewestCells = 20;

    /// <summary>Lines of warning; none where nothing is amiss.</summary>
    /// <param name="result">The annotated cells.</param>
    /// <param name="calibration">What the model stores.</param>
    /// <param name="chosen">Whether the user chose the rule.</param>
    public static IEnumerable<string> Of(AnnotationResult result, NoveltyCalibration? calibration, bool chosen)
    {
        ArgumentNullException.ThrowIfNull(result);
        if (!chosen && calibration is { Genes: null })
        {
            yield return "an earlier version of Canal made the model, without statistics of genes: novelty is decided by its stored rule, which finds fewer novel cells";
        }
        var novel = Enumerable.Range(0, result.Count).Count(result.IsNovel);
        if (result.Count < FewestCells || novel <= (1 - FewestAccepted) * result.Count) yield break;
        var share = (100.0 * novel / result.Count).ToString("F0", CultureInfo.InvariantCulture);
        yield return $"{share} % of the cells look novel: either most are of types the model was not taught, or this study is measured otherwise than those it was; "
            + "do not trust the verdicts on novelty without looking (canal_best has each cell's best type)";
    }
}
