using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

public class FavorBackwardTests
{
    private const double UnitRoundoff = 1.0 / (1 << 24);

    [Theory, MemberData(nameof(FavorForwardTests.Cases), MemberType = typeof(FavorForwardTests))]
    public void ErrsAtMostTwiceThePlainCentredForm(
        int cells, int tokens, int heads, int width, int features, KeyMaximumScope scope, double norm, double offset)
    {
        var problem = FavorRun.Problem(new FavorSizes(cells, tokens, heads, width, features, scope), norm, offset);
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var (_, actual) = FavorRun.Both(device, problem);
        var reference = new FavorReference(problem);
        var exact = reference.Backward(FavorReference.Widen(problem.DOut));
        var plain = new FavorInFloat32(problem);
        AssertGradient("dq", actual.DQ, plain.DQ, exact.DQ, exact.LargestTermOfQueries * reference.LargestExponent);
        AssertGradient("dk", actual.DK, plain.DK, exact.DK, exact.LargestTermOfKeys * reference.LargestExponent);
        AssertGradient("dv", actual.DV, plain.DV, exact.DV, exact.LargestTermOfValues * reference.LargestExponent);
    }

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

    [Fact]
    public void AddingAConstantToAllValuesLeavesTheGradientsOfQueriesAndKeys()
    {
        var sizes = new FavorSizes(1, 130, 2, 16, 33, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        for (var i = 0; i < problem.V.Length; i++) problem.V[i] = MathF.Round(problem.V[i] * 1024) / 1024;
        var shifted = problem with { V = Array.ConvertAll(problem.V, x => x + 64) };
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var (_, plain) = FavorRun.Both(device, problem);
        var (_, moved) = FavorRun.Both(device, shifted);
        // The inputs differ by exactly 64; the mean value is rounded at 64 instead of 1, which is all that may show.
        Closeness.Assert("dq", moved.DQ, FavorReference.Widen(plain.DQ), 128 * UnitRoundoff * Closeness.Scale(FavorReference.Widen(plain.DQ)));
        Closeness.Assert("dk", moved.DK, FavorReference.Widen(plain.DK), 128 * UnitRoundoff * Closeness.Scale(FavorReference.Widen(plain.DK)));
    }

    // The largest intermediate: a term of the last sum, whose feature carries the rounding of its exponent.
    private static void AssertGradient(string what, float[] actual, float[] plain, double[] exact, double largestTerm) =>
        Closeness.Assert(what, actual, exact, (2 * FavorRun.MaxError(plain, exact)) + (2 * UnitRoundoff * largestTerm));

    private static double Difference(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
}
