using System.Globalization;

namespace Canal.Testing;

/// <summary>The first link of every gradient test (style R28): the float64 backward against central differences of the float64 forward.</summary>
public static class CentralDifferences
{
    /// <summary>Step of the differences.</summary>
    public const double Step = 1e-6;

    /// <summary>
    /// Fails unless <paramref name="gradient"/> is that of <paramref name="loss"/> at <paramref name="x"/>. Allowed: truncation Step^2 and cancellation
    /// 2^-53 |loss| / Step, with a factor of 50 for the third derivative and the length of the sums.
    /// </summary>
    public static void Assert(string what, double[] gradient, double[] x, Func<double[], double> loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        var moved = (double[])x.Clone();
        var scale = Math.Max(1, Math.Abs(loss(x)));
        Xunit.Assert.Equal(x.Length, gradient.Length);
        for (var i = 0; i < x.Length; i++)
        {
            moved[i] = x[i] + Step;
            var above = loss(moved);
            moved[i] = x[i] - Step;
            var below = loss(moved);
            moved[i] = x[i];
            var difference = (above - below) / (2 * Step);
            var allowed = 50 * ((Step * Step) + (scale * Math.Pow(2, -53) / Step));
            if (!(Math.Abs(difference - gradient[i]) <= allowed))
            {
                Xunit.Assert.Fail(string.Create(CultureInfo.InvariantCulture,
                    $"{what}: element {i} is {gradient[i]:g12}, by differences {difference:g12}; allowed {allowed:g3}."));
            }
        }
    }
}
