namespace Canal.Data;

/// <summary>Finds the base of a logarithm from the values: the base for which sum(b^x - 1) is the same for all cells, or b^x - 1 is whole.</summary>
internal static class LogarithmBase
{
    /// <summary>Values above this are not logarithms of expression: 2^30 counts in one gene do not occur.</summary>
    public const double LargestLogarithm = 30;

    // Values rounded to three decimals or to half precision move a cell's total by less than this; totals of cut gene sets differ by per cents.
    private const double KnownBaseSpread = 5e-3;
    private const double SearchedBaseSpread = 2e-3;
    private const int CellsForSearch = 8;
    private const double SmallestBase = 1.2;
    private const double LargestBase = 32;

    /// <summary>Relative standard deviation of cell totals; for a single cell the distance to the nearest power of ten, the only thing it can be compared with.</summary>
    public static double Spread(double[] totals)
    {
        if (totals.Length == 0) return double.PositiveInfinity;
        if (totals.Length == 1)
        {
            var target = Math.Pow(10, Math.Round(Math.Log10(totals[0])));
            return target < 100 ? double.PositiveInfinity : Math.Abs(totals[0] / target - 1);
        }
        var mean = totals.Average();
        return Math.Sqrt(totals.Sum(t => (t - mean) * (t - mean)) / (totals.Length - 1)) / mean;
    }

    /// <summary>Whether all cells have the same total.</summary>
    public static bool SameTotals(double[] totals) => Spread(totals) <= KnownBaseSpread;

    /// <summary>Whether b^x - 1 is a whole number for every value that is small enough to tell.</summary>
    public static bool GivesWholeCounts(MatrixSample sample, double logBase)
    {
        var (seen, scale) = (0, Math.Log(logBase));
        foreach (var cell in sample.Cells)
        {
            foreach (var value in cell)
            {
                var count = Math.Exp(value * scale) - 1;
                if (count > 1000) continue;
                if (Math.Abs(count - Math.Round(count)) > 1e-4 * (1 + count)) return false;
                seen++;
            }
        }
        return seen > 0;
    }

    /// <summary>Searches for any base that gives all cells the same total; null where none does (genes were cut, or there are too few cells to tell).</summary>
    public static double? Search(MatrixSample sample)
    {
        if (sample.Cells.Count < CellsForSearch) return null;
        const int steps = 48;
        var (low, high) = (Math.Log(SmallestBase), Math.Log(LargestBase));
        var (best, bestSpread) = (0, double.PositiveInfinity);
        for (var i = 0; i <= steps; i++)
        {
            var spread = SpreadAt(At(i));
            if (spread < bestSpread) (best, bestSpread) = (i, spread);
        }
        var (left, right) = (At(Math.Max(0, best - 1)), At(Math.Min(steps, best + 1)));
        const double golden = 0.6180339887498949;
        for (var i = 0; i < 40; i++)
        {
            var (a, b) = (right - golden * (right - left), left + golden * (right - left));
            if (SpreadAt(a) < SpreadAt(b)) right = b;
            else left = a;
        }
        var found = (left + right) / 2;
        return SpreadAt(found) <= SearchedBaseSpread ? Math.Exp(found) : null;

        double At(int i) => low + (high - low) * i / steps;
        double SpreadAt(double logOfBase) => Spread(sample.Totals(Math.Exp(logOfBase)));
    }
}
