using Canal.Engine.Operations;
using Canal.Engine.Tests.Conformance;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>FAVOR+ backward on the devices of a family, against float64, which is itself held to central differences.</summary>
public abstract class FavorBackwardTests(DeviceFamily devices)
{
    private const double UnitRoundoff = 1.0 / (1 << 24);

    [SkippableTheory, MemberData(nameof(FavorForwardTests.Cases), MemberType = typeof(FavorForwardTests))]
    public void ErrsAtMostTwiceThePlainCentredForm(
        int cells, int tokens, int heads, int width, int features, KeyMaximumScope scope, double norm, double offset)
    {
        var problem = FavorRun.Problem(new FavorSizes(cells, tokens, heads, width, features, scope), norm, offset);
        var device = devices.Ready();
        var (_, actual) = FavorRun.Both(device, problem);
        var reference = new FavorReference(problem);
        var exact = reference.Backward(FavorReference.Widen(problem.DOut));
        var plain = new FavorInFloat32(problem);
        AssertGradient("dq", actual.DQ, plain.DQ, exact.DQ, exact.LargestTermOfQueries * reference.LargestExponent);
        AssertGradient("dk", actual.DK, plain.DK, exact.DK, exact.LargestTermOfKeys * reference.LargestExponent);
        AssertGradient("dv", actual.DV, plain.DV, exact.DV, exact.LargestTermOfValues * reference.LargestExponent);
    }

    [SkippableFact]
    public void AddingAConstantToAllValuesLeavesTheGradientsOfQueriesAndKeys()
    {
        var sizes = new FavorSizes(1, 130, 2, 16, 33, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        for (var i = 0; i < problem.V.Length; i++) problem.V[i] = MathF.Round(problem.V[i] * 1024) / 1024;
        var shifted = problem with { V = Array.ConvertAll(problem.V, x => x + 64) };
        var device = devices.Ready();
        var (_, plain) = FavorRun.Both(device, problem);
        var (_, moved) = FavorRun.Both(device, shifted);
        // The inputs differ by exactly 64; the mean value is rounded at 64 instead of 1, which is all that may show.
        Closeness.Assert("dq", moved.DQ, FavorReference.Widen(plain.DQ), 128 * UnitRoundoff * Closeness.Scale(FavorReference.Widen(plain.DQ)));
        Closeness.Assert("dk", moved.DK, FavorReference.Widen(plain.DK), 128 * UnitRoundoff * Closeness.Scale(FavorReference.Widen(plain.DK)));
    }

    // The largest intermediate: a term of the last sum, whose feature carries the rounding of its exponent.
    private static void AssertGradient(string what, float[] actual, float[] plain, double[] exact, double largestTerm) =>
        Closeness.Assert(what, actual, exact, (2 * FavorRun.MaxError(plain, exact)) + (2 * UnitRoundoff * largestTerm));
}

/// <summary>The processor.</summary>
public sealed class CpuFavorBackwardTests(CpuDevices devices) : FavorBackwardTests(devices), IClassFixture<CpuDevices>;

/// <summary>The CUDA device on the emulator.</summary>
public sealed class EmulatedFavorBackwardTests(EmulatedDevices devices) : FavorBackwardTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>The CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorBackwardTests(DriverDevices devices) : FavorBackwardTests(devices), IClassFixture<DriverDevices>;
