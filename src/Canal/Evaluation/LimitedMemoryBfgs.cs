namespace Canal.Evaluation;

/// <summary>A differentiable function to be minimised.</summary>
internal interface IObjective
{
    /// <summary>Number of parameters.</summary>
    int Size { get; }

    /// <summary>The value at some parameters; writes the gradient there.</summary>
    double Evaluate(double[] parameters, double[] gradient);

    /// <summary>The largest component of a gradient, in the units in which the tolerance is given.</summary>
    double LargestSlope(double[] gradient);
}

/// <summary>How a minimisation ended.</summary>
/// <param name="Value">The objective there.</param>
/// <param name="Iterations">Iterations taken.</param>
/// <param name="Converged">False where the number of iterations ran out.</param>
internal readonly record struct MinimisationResult(double Value, int Iterations, bool Converged);

/// <summary>
/// L-BFGS (Liu and Nocedal, 1989) with a line search for the weak Wolfe conditions by bisection (Lewis and Overton, 2013). Deterministic.
/// </summary>
internal sealed class LimitedMemoryBfgs
{
    private const int Memory = 10, MostSteps = 40;
    private const double SufficientDecrease = 1e-4, Curvature = 0.9;

    // As scipy's L-BFGS-B under scikit-learn: a relative decrease below 64 machine epsilons ends the search.
    private const double SmallestDecrease = 64 * 2.220446049250313e-16;
    private readonly List<(double[] S, double[] Y, double Rho)> pairs = [];

    /// <summary>Minimises from <paramref name="x"/>, which is overwritten with the best parameters found.</summary>
    /// <param name="objective">What to minimise.</param>
    /// <param name="x">Start, and result.</param>
    /// <param name="tolerance">Largest component of the gradient at which to stop.</param>
    /// <param name="iterations">Most iterations.</param>
    public static MinimisationResult Minimise(IObjective objective, double[] x, double tolerance, int iterations) =>
        new LimitedMemoryBfgs().Run(objective, x, tolerance, iterations);

    private MinimisationResult Run(IObjective objective, double[] x, double tolerance, int iterations)
    {
        var (gradient, next, nextGradient) = (new double[x.Length], new double[x.Length], new double[x.Length]);
        var value = objective.Evaluate(x, gradient);
        for (var iteration = 0; iteration < iterations; iteration++)
        {
            if (objective.LargestSlope(gradient) <= tolerance) return new MinimisationResult(value, iteration, true);
            var direction = Direction(gradient);
            var slope = Dot(direction, gradient);
            if (!(slope < 0))
            {
                pairs.Clear();
                direction = Array.ConvertAll(gradient, g => -g);
                slope = -Dot(gradient, gradient);
            }
            var start = pairs.Count == 0 ? Math.Min(1, 1 / Math.Sqrt(-slope)) : 1;
            var found = Search(objective, x, value, direction, slope, start, next, nextGradient);
            // No step lowers the value in float64 any more.
            if (found is not { } lower) return new MinimisationResult(value, iteration, true);
            Remember(x, next, gradient, nextGradient);
            var small = value - lower <= SmallestDecrease * Math.Max(Math.Max(Math.Abs(value), Math.Abs(lower)), 1);
            next.CopyTo(x, 0);
            nextGradient.CopyTo(gradient, 0);
            value = lower;
            if (small) return new MinimisationResult(value, iteration + 1, true);
        }
        return new MinimisationResult(value, iterations, objective.LargestSlope(gradient) <= tolerance);
    }

    private static double? Search(IObjective objective, double[] x, double value, double[] direction, double slope, double step, double[] next, double[] nextGradient)
    {
        var (low, high) = (0.0, double.PositiveInfinity);
        for (var tries = 0; tries < MostSteps; tries++)
        {
            for (var i = 0; i < x.Length; i++) next[i] = x[i] + (step * direction[i]);
            var reached = objective.Evaluate(next, nextGradient);
            if (!(reached <= value + (SufficientDecrease * step * slope))) high = step;
            else if (Dot(nextGradient, direction) < Curvature * slope) low = step;
            else return reached;
            step = double.IsPositiveInfinity(high) ? 2 * low : (low + high) / 2;
        }
        return null;
    }

    private double[] Direction(double[] gradient)
    {
        var direction = Array.ConvertAll(gradient, g => -g);
        var alphas = new double[pairs.Count];
        for (var i = pairs.Count - 1; i >= 0; i--)
        {
            alphas[i] = pairs[i].Rho * Dot(pairs[i].S, direction);
            Add(direction, pairs[i].Y, -alphas[i]);
        }
        if (pairs.Count > 0)
        {
            var scale = 1 / (pairs[^1].Rho * Dot(pairs[^1].Y, pairs[^1].Y));
            for (var i = 0; i < direction.Length; i++) direction[i] *= scale;
        }
        for (var i = 0; i < pairs.Count; i++) Add(direction, pairs[i].S, alphas[i] - (pairs[i].Rho * Dot(pairs[i].Y, direction)));
        return direction;
    }

    private void Remember(double[] x, double[] next, double[] gradient, double[] nextGradient)
    {
        var (s, y) = (new double[x.Length], new double[x.Length]);
        for (var i = 0; i < x.Length; i++) (s[i], y[i]) = (next[i] - x[i], nextGradient[i] - gradient[i]);
        var product = Dot(s, y);
        if (product <= 0) return;
        if (pairs.Count == Memory) pairs.RemoveAt(0);
        pairs.Add((s, y, 1 / product));
    }

    private static void Add(double[] to, double[] values, double factor)
    {
        unchecked
        {
            for (var i = 0; i < to.Length; i++) to[i] += factor * values[i];
        }
    }

    private static double Dot(double[] left, double[] right)
    {
        // Four partial sums, whatever the machine: they are what keeps the adder busy.
        double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
        unchecked
        {
            var i = 0;
            for (; i + 4 <= left.Length; i += 4)
            {
                sum0 += left[i] * right[i];
                sum1 += left[i + 1] * right[i + 1];
                sum2 += left[i + 2] * right[i + 2];
                sum3 += left[i + 3] * right[i + 3];
            }
            for (; i < left.Length; i++) sum0 += left[i] * right[i];
        }
        return sum0 + sum1 + (sum2 + sum3);
    }
}
