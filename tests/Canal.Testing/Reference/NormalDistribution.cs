namespace Canal.Testing.Reference;

/// <summary>The normal distribution in float64, by series and continued fraction (Abramowitz, Stegun 26.2.11 and 26.2.14).</summary>
public static class NormalDistribution
{
    /// <summary>phi(x).</summary>
    public static double Density(double x) => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);

    /// <summary>Phi(x), to some units of the last place.</summary>
    public static double Cumulative(double x)
    {
        if (double.IsNaN(x)) return double.NaN;
        var t = Math.Abs(x);
        if (t < 3)
        {
            // Phi(x) = 1/2 + phi(x) (x + x^3/3 + x^5/(3·5) + ...), all terms of one sign.
            var (term, sum) = (x, x);
            for (var n = 3; Math.Abs(term) > 1e-18 * Math.Abs(sum); n += 2) sum += term *= x * x / n;
            return 0.5 + (Density(x) * sum);
        }
        // 1 - Phi(t) = phi(t) / (t + 1/(t + 2/(t + 3/(t + ...)))).
        var fraction = t;
        for (var n = 200; n > 0; n--) fraction = t + (n / fraction);
        var tail = Density(t) / fraction;
        return x < 0 ? tail : 1 - tail;
    }
}
