using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>The float64 truth of the FAVOR+ tests.</summary>
public class FavorReferenceTests
{
    // The link from the kernel's truth to the definition: the reference's own backward against central differences of its forward.
    [Theory, InlineData(KeyMaximumScope.Cell), InlineData(KeyMaximumScope.Batch)]
    public void TheFloat64ReferenceAgreesWithCentralDifferences(KeyMaximumScope scope)
    {
        const double step = 1e-6;
        var sizes = new FavorSizes(2, 5, 2, 4, 7, scope);
        var problem = FavorRun.Problem(sizes, norm: 3);
        double[][] inputs = [FavorReference.Widen(problem.Q), FavorReference.Widen(problem.K), FavorReference.Widen(problem.V)];
        var projection = FavorReference.Widen(problem.Projection);
        var weights = FavorReference.Widen(problem.DOut);
        var gradients = new FavorReference(sizes, inputs[0], inputs[1], inputs[2], projection).Backward(weights);
        var detached = new FavorReference(sizes, inputs[0], inputs[1], inputs[2], projection).Backward(weights, detached: true);
        foreach (var (which, gradient) in new[] { (0, gradients.DQ), (1, gradients.DK), (2, gradients.DV) })
        {
            var differences = new double[gradient.Length];
            for (var i = 0; i < gradient.Length; i++)
            {
                var kept = inputs[which][i];
                inputs[which][i] = kept + step;
                var above = Loss();
                inputs[which][i] = kept - step;
                differences[i] = (above - Loss()) / (2 * step);
                inputs[which][i] = kept;
            }
            // Truncation step^2 and rounding 1e-16 |loss| / step.
            Closeness.Assert($"input {which}", differences, gradient, 1e-8 * (Closeness.Scale(gradient) + Math.Abs(Loss())));
        }
        Assert.True(Difference(detached.DQ, gradients.DQ) > 1e-3 * Closeness.Scale(gradients.DQ), "the query maxima must carry gradient");
        Assert.True(Difference(detached.DK, gradients.DK) > 1e-3 * Closeness.Scale(gradients.DK), $"the key maximum must carry gradient: {Difference(detached.DK, gradients.DK)} of {Closeness.Scale(gradients.DK)}");

        double Loss()
        {
            var output = new FavorReference(sizes, inputs[0], inputs[1], inputs[2], projection).Forward();
            return output.Zip(weights, (o, w) => o * w).Sum();
        }
    }

    private static double Difference(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
}
