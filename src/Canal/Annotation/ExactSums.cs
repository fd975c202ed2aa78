namespace Canal.Annotation;

/// <summary>
/// Sums of scores between 0 and 1 in which the order of adding changes no bit: each is added as a whole number of 2^-80, which is exact for a float32 of
/// 2^-56 and more; 2^47 of them find room.
/// </summary>
/// <param name="rows">Rows of sums.</param>
/// <param name="columns">Sums a row.</param>
internal sealed class ExactSums(int rows, int columns)
{
    // 2^40, twice: the product with a float32 score is exact in float64.
    private const double HalfOfUnit = 1L << 40;

    private readonly Int128[,] units = new Int128[rows, columns];

    /// <summary>A sum, rounded once.</summary>
    public double this[int row, int column] => (double)units[row, column] / HalfOfUnit / HalfOfUnit;

    /// <summary>Adds a score, which must be finite.</summary>
    public void Add(int row, int column, float score) => units[row, column] += (Int128)(score * HalfOfUnit * HalfOfUnit);
}
