namespace Canal.Annotation;

/// <summary>Cholesky factors of covariances, for Mahalanobis distances, in float64.</summary>
internal static class Cholesky
{
    // A covariance of cells that are all the same still gives a finite distance.
    private const double SmallestVariance = 1e-12;

    /// <summary>The lower factor L of (1 - s) C + s v I, L L^T, where v is the mean variance.</summary>
    /// <param name="covariance">C, [size, size], symmetric and positive semi-definite.</param>
    /// <param name="size">Rows.</param>
    /// <param name="shrinkage">s, above 0: makes the sum definite.</param>
    public static double[] Factor(double[] covariance, int size, double shrinkage)
    {
        var variance = 0.0;
        for (var i = 0; i < size; i++) variance += covariance[(i * size) + i] / size;
        var factor = new double[size * size];
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                var sum = (1 - shrinkage) * covariance[(i * size) + j];
                if (i == j) sum += (shrinkage * variance) + SmallestVariance;
                for (var k = 0; k < j; k++) sum -= factor[(i * size) + k] * factor[(j * size) + k];
                factor[(i * size) + j] = i == j ? Math.Sqrt(Math.Max(sum, SmallestVariance)) : sum / factor[(j * size) + j];
            }
        }
        return factor;
    }

    /// <summary>(x - mean)^T (L L^T)^-1 (x - mean).</summary>
    public static double SquaredDistance(double[] factor, ReadOnlySpan<float> x, ReadOnlySpan<double> mean)
    {
        Span<double> wide = x.Length <= 1024 ? stackalloc double[x.Length] : new double[x.Length];
        for (var i = 0; i < x.Length; i++) wide[i] = x[i];
        return SquaredDistance(factor, wide, mean);
    }

    /// <summary>The same for float64.</summary>
    public static double SquaredDistance(double[] factor, ReadOnlySpan<double> x, ReadOnlySpan<double> mean)
    {
        var size = x.Length;
        Span<double> solved = size <= 1024 ? stackalloc double[size] : new double[size];
        var total = 0.0;
        for (var i = 0; i < size; i++)
        {
            var sum = x[i] - mean[i];
            for (var k = 0; k < i; k++) sum -= factor[(i * size) + k] * solved[k];
            solved[i] = sum / factor[(i * size) + i];
            total += solved[i] * solved[i];
        }
        return total;
    }
}
