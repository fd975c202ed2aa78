using Canal.Engine.Random;
using MathNet.Numerics;

namespace Canal.Simulation;

/// <summary>Draws of the distributions that counts of transcripts follow.</summary>
internal static class CountDraws
{
    /// <summary>Negative binomial with a mean and a dispersion (variance = mean + dispersion mean^2), as a Poisson of a gamma.</summary>
    public static int NegativeBinomial(ref RandomSequence random, double mean, double dispersion) =>
        mean <= 0 ? 0 : Poisson(ref random, dispersion <= 0 ? mean : Gamma(ref random, 1 / dispersion) * mean * dispersion);

    /// <summary>Gamma with a shape and scale 1 (Marsaglia, Tsang, ACM Trans. Math. Softw. 26, 2000).</summary>
    public static double Gamma(ref RandomSequence random, double shape)
    {
        if (shape < 1) return Gamma(ref random, shape + 1) * Math.Pow(1 - random.NextDouble(), 1 / shape);
        var d = shape - 1.0 / 3;
        var c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            var x = random.NextNormal();
            var v = 1 + (c * x);
            if (v <= 0) continue;
            v = v * v * v;
            if (Math.Log(1 - random.NextDouble()) < (0.5 * x * x) + d - (d * v) + (d * Math.Log(v))) return d * v;
        }
    }

    /// <summary>Poisson: by multiplication for small means (Knuth), by transformed rejection for large ones (Hoermann, Insur. Math. Econ. 12, 1993).</summary>
    public static int Poisson(ref RandomSequence random, double mean)
    {
        if (mean < 10)
        {
            var (limit, product, count) = (Math.Exp(-mean), random.NextDouble(), 0);
            while (product > limit)
            {
                product *= random.NextDouble();
                count++;
            }
            return count;
        }
        var b = 0.931 + (2.53 * Math.Sqrt(mean));
        var a = -0.059 + (0.02483 * b);
        var inverseAlpha = 1.1239 + (1.1328 / (b - 3.4));
        var rejection = 0.9277 - (3.6224 / (b - 2));
        while (true)
        {
            var u = random.NextDouble() - 0.5;
            var v = 1 - random.NextDouble();
            var distance = 0.5 - Math.Abs(u);
            var k = Math.Floor((((2 * a / distance) + b) * u) + mean + 0.43);
            if (distance >= 0.07 && v <= rejection) return (int)k;
            if (k < 0 || (distance < 0.013 && v > distance)) continue;
            if (Math.Log(v * inverseAlpha / ((a / (distance * distance)) + b)) <= (k * Math.Log(mean)) - mean - SpecialFunctions.FactorialLn((int)k)) return (int)k;
        }
    }
}
