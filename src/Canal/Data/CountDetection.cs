using System.Globalization;

namespace Canal.Data;

/// <summary>Finds the counts of a data set and says what they are (method.md section 1.1).</summary>
public static class CountDetection
{
    /// <summary>Where counts are looked for, in order, unless the user names a place.</summary>
    public static IReadOnlyList<string> DefaultOrder { get; } = ["layers/counts", "raw/X", "X"];

    // Expected counts are whole for a good part of the genes (a single transcript); logarithms hardly ever are.
    private const double WholeShareOfExpectedCounts = 0.05;

    /// <summary>
    /// Judges the matrices in order on a bounded sample of cells. A matrix of counts is taken before one whose logarithm must be undone;
    /// within each kind the order decides. Scaled values are passed over.
    /// </summary>
    /// <param name="file">The data set.</param>
    /// <param name="order">Locations to look in; null for <see cref="DefaultOrder"/>.</param>
    /// <exception cref="UserException">There is nothing to look at, or only scaled values.</exception>
    public static CountSource Detect(ExpressionFile file, IReadOnlyList<string>? order = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        var named = order is not null;
        order ??= DefaultOrder;
        if (file.CellCount == 0) throw new UserException($"{file.Path}: the data set has no cells.");
        var present = order.Where(location => file.Matrices.Contains(location, StringComparer.Ordinal)).ToList();
        if (present.Count == 0)
        {
            var there = file.Matrices.Count == 0 ? "no matrix at all" : string.Join(", ", file.Matrices);
            throw new UserException($"{file.Path}: no matrix at {string.Join(" or ", order)}; the file has {there}. Name one with --matrix.");
        }
        CountSource? logarithm = null;
        var scaled = new List<string>();
        foreach (var location in present)
        {
            var found = Judge(file, location);
            if (found.State == ExpressionState.Scaled)
            {
                scaled.Add(location);
                continue;
            }
            if (found.State != ExpressionState.Logarithm || named) return found;
            logarithm ??= found;
        }
        return logarithm ?? throw new UserException(
            $"{file.Path}: {string.Join(" and ", scaled)} {(scaled.Count == 1 ? "holds" : "hold")} scaled values (some are negative), from which counts cannot be had back: "
            + "put the raw counts into layers/counts or raw/X, or name the matrix that has them with --matrix.");
    }

    /// <summary>Judges one matrix.</summary>
    public static CountSource Judge(ExpressionFile file, string location)
    {
        ArgumentNullException.ThrowIfNull(file);
        var matrix = file.OpenMatrix(location);
        var sample = MatrixSample.Read(matrix, (rows, first) => ValueCheck.Finite(file, location, rows, first));
        if (sample.Minimum < 0) return new(location, ExpressionState.Scaled, 0, false, "scaled values (some are negative)", []);
        if (sample.WholeShare == 1) return Counts(location, "counts");
        var totals = sample.Totals();
        if (LogarithmBase.SameTotals(totals))
        {
            var total = totals.Average().ToString("N0", CultureInfo.InvariantCulture);
            return new(location, ExpressionState.Normalised, 0, false, $"normalised values ({total} a cell)", []);
        }
        return sample.Maximum > LogarithmBase.LargestLogarithm ? Counts(location, "counts that are not whole numbers (expected counts)")
            : JudgeSmallValues(file, location, sample);
    }

    private static CountSource JudgeSmallValues(ExpressionFile file, string location, MatrixSample sample)
    {
        var declared = file.DeclaredLogBase;
        double[] candidates = declared is { } first ? [first, Math.E, 2, 10] : [Math.E, 2, 10];
        foreach (var candidate in candidates)
        {
            var whole = LogarithmBase.GivesWholeCounts(sample, candidate);
            if (!whole && !LogarithmBase.SameTotals(sample.Totals(candidate))) continue;
            var evidence = whole ? "of counts" : "all cells have the same total";
            string[] warnings = declared is { } said && said != candidate
                ? [$"{location}: uns/log1p/base says {CountSource.BaseName(said)}, but the values fit {CountSource.BaseName(candidate)}, which is used."] : [];
            return Logarithm(location, candidate, whole, evidence, warnings);
        }
        if (sample.WholeShare >= WholeShareOfExpectedCounts) return Counts(location, "counts that are not whole numbers (expected counts)");
        if (LogarithmBase.Search(sample) is { } searched) return Logarithm(location, searched, false, "found from the totals", []);
        if (declared is { } known) return Logarithm(location, known, false, "as uns/log1p/base says", []);
        return Logarithm(location, Math.E, false, "assumed", [
            $"{location}: values look like logarithms, but no base gives all cells the same total (genes were cut): the natural logarithm is assumed."]);
    }

    private static CountSource Counts(string location, string description) => new(location, ExpressionState.Counts, 0, false, description, []);

    private static CountSource Logarithm(string location, double logBase, bool whole, string evidence, string[] warnings) =>
        new(location, ExpressionState.Logarithm, logBase, whole, $"log1p values ({CountSource.BaseName(logBase)}, {evidence}), undone", warnings);
}
