namespace Canal.Engine.Random;

/// <summary>QR decomposition by Householder reflections in float64, with the signs of LAPACK's dgeqr2 and dorg2r (R may have a negative diagonal).</summary>
internal static class HouseholderQr
{
    /// <summary>Overwrites a square matrix, row-major, with the orthogonal factor Q of its QR decomposition.</summary>
    public static void Orthogonalise(double[] matrix, int size)
    {
        var scales = new double[size];
        for (var k = 0; k < size; k++) scales[k] = Reflect(matrix, size, k);
        Accumulate(matrix, size, scales);
    }

    // Column k becomes the reflector H = I - tau v v^T with v_k = 1 (not stored), and H is applied to the columns right of it.
    private static double Reflect(double[] a, int n, int k)
    {
        var below = 0.0;
        for (var i = k + 1; i < n; i++) below += a[(i * n) + k] * a[(i * n) + k];
        if (below == 0.0) return 0.0;
        var alpha = a[(k * n) + k];
        var beta = -Math.CopySign(Math.Sqrt((alpha * alpha) + below), alpha);
        for (var i = k + 1; i < n; i++) a[(i * n) + k] /= alpha - beta;
        a[(k * n) + k] = beta;
        var tau = (beta - alpha) / beta;
        for (var j = k + 1; j < n; j++) Apply(a, n, k, j, tau);
        return tau;
    }

    private static void Apply(double[] a, int n, int k, int column, double tau)
    {
        var product = a[(k * n) + column];
        for (var i = k + 1; i < n; i++) product += a[(i * n) + k] * a[(i * n) + column];
        product *= tau;
        a[(k * n) + column] -= product;
        for (var i = k + 1; i < n; i++) a[(i * n) + column] -= product * a[(i * n) + k];
    }

    // Q = H_0 H_1 ... H_{n-1}, formed from the last reflector back.
    private static void Accumulate(double[] a, int n, double[] scales)
    {
        for (var k = n - 1; k >= 0; k--)
        {
            for (var j = k + 1; j < n; j++) Apply(a, n, k, j, scales[k]);
            for (var i = k + 1; i < n; i++) a[(i * n) + k] *= -scales[k];
            a[(k * n) + k] = 1.0 - scales[k];
            for (var i = 0; i < k; i++) a[(i * n) + k] = 0.0;
        }
    }
}
