using System.Globalization;

namespace Canal.Data;

/// <summary>Checks on every block that is read: a sample cannot vouch for a whole file.</summary>
internal static class ValueCheck
{
    /// <summary>No NaN and no infinite value.</summary>
    public static void Finite(ExpressionFile file, string location, SparseRows rows, int first) => Check(file, location, rows, first, allowNegative: true);

    /// <summary>No NaN, no infinite and no negative value.</summary>
    public static void FiniteAndPositive(ExpressionFile file, string location, SparseRows rows, int first) => Check(file, location, rows, first, allowNegative: false);

    private static void Check(ExpressionFile file, string location, SparseRows rows, int first, bool allowNegative)
    {
        for (var cell = 0; cell < rows.Cells; cell++)
        {
            var values = rows.Values(cell);
            for (var i = 0; i < values.Length; i++)
            {
                if (double.IsFinite(values[i]) && (allowNegative || values[i] >= 0)) continue;
                var what = double.IsNaN(values[i]) ? "NaN (not a number)" : double.IsInfinity(values[i]) ? "an infinite value"
                    : "the negative value " + values[i].ToString("R", CultureInfo.InvariantCulture);
                throw new UserException($"{file.Path}: {location} holds {what} in cell '{file.CellNames[first + cell]}', gene '{file.GeneNames(location)[rows.Genes(cell)[i]]}': "
                    + "counts must be zero or more; repair the file, or name another matrix with --matrix.");
            }
        }
    }
}
