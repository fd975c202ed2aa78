using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Engine.Tests.Conformance;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>
/// FAVOR+ without tensor cores on activations of half precision: rounded where they are stored and nowhere else, so the plain float32 form on the
/// rounded inputs, rounded once, sets the tolerance.
/// </summary>
public abstract class FavorHalfTests(DeviceFamily devices)
{
    private const double UnitRoundoff = 1.0 / (1 << 24);
    private static readonly FavorSizes Sizes = new(2, 97, 3, 20, 44, KeyMaximumScope.Cell);

    public static TheoryData<DType> Types => new() { DType.Float16, DType.BFloat16 };

    [SkippableTheory, MemberData(nameof(Types))]
    public void ForwardErrsAtMostTwiceThePlainForm(DType type)
    {
        var device = devices.Ready();
        var problem = Problem(type);
        var (actual, _) = FavorRun.Both(device, problem, withBackward: false, type);
        var reference = new FavorReference(problem);
        AssertClose("out", type, actual.Out, new FavorInFloat32(problem).Out, reference.Forward(), problem.V.Max(x => Math.Abs((double)x)));
        Assert.Equal(reference.KeyMaximumAt, actual.KeyMaximumAt);
    }

    // Training is never float16.
    [SkippableFact]
    public void BackwardErrsAtMostTwiceThePlainForm()
    {
        var device = devices.Ready();
        var problem = Problem(DType.BFloat16);
        var (_, actual) = FavorRun.Both(device, problem, type: DType.BFloat16);
        var reference = new FavorReference(problem);
        var exact = reference.Backward(FavorReference.Widen(problem.DOut));
        var plain = new FavorInFloat32(problem);
        AssertClose("dq", DType.BFloat16, actual.DQ, plain.DQ, exact.DQ, exact.LargestTermOfQueries * reference.LargestExponent);
        AssertClose("dk", DType.BFloat16, actual.DK, plain.DK, exact.DK, exact.LargestTermOfKeys * reference.LargestExponent);
        AssertClose("dv", DType.BFloat16, actual.DV, plain.DV, exact.DV, exact.LargestTermOfValues * reference.LargestExponent);
    }

    [SkippableTheory, MemberData(nameof(Types))]
    public void GeneAttentionIsThatOfTheRoundedInputs(DType type)
    {
        var device = devices.Ready();
        var problem = Problem(type);
        float[] weights = [0.5f, 0.25f, 1];
        Assert.Equal(GeneAttentionTests.Run(device, problem, weights, 0), GeneAttentionTests.Run(device, problem, weights, 0, type));
    }

    [SkippableFact]
    public void ActivationsOfTwoTypesAreRefused()
    {
        var device = devices.Ready();
        var problem = Problem(DType.BFloat16);
        using var scores = new GuardedTensor(device, new Shape(Sizes.Cells, Sizes.Tokens), new float[Sizes.Cells * Sizes.Tokens]);
        using var q = new GuardedTensor(device, DType.BFloat16, Sizes.Rows, problem.Q);
        using var k = new GuardedTensor(device, Sizes.Rows, problem.K);
        using var projection = new GuardedTensor(device, new Shape(Sizes.Features, Sizes.HeadWidth), problem.Projection);
        using var weights = new GuardedTensor(device, new Shape(Sizes.Heads), [1, 1, 1]);
        var operation = new GeneAttention(scores.Tensor, q.Tensor, k.Tensor, projection.Tensor, weights.Tensor, Sizes);
        Assert.Contains("K is Float32, not BFloat16", Assert.Throws<ArgumentException>(() => device.Run(operation)).Message, StringComparison.Ordinal);
    }

    private static FavorProblem Problem(DType type)
    {
        var problem = FavorRun.Problem(Sizes, norm: 8, offset: 3);
        return problem with { Q = Rounding.To(type, problem.Q), K = Rounding.To(type, problem.K), V = Rounding.To(type, problem.V), DOut = Rounding.To(type, problem.DOut) };
    }

    private static void AssertClose(string what, DType type, float[] actual, float[] plain, double[] exact, double largest) =>
        Closeness.Assert(what, actual, exact, (2 * FavorRun.MaxError(Rounding.To(type, plain), exact)) + (2 * UnitRoundoff * largest));
}

/// <summary>The CUDA device on the emulator.</summary>
public sealed class EmulatedFavorHalfTests(EmulatedDevices devices) : FavorHalfTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>The CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorHalfTests(DriverDevices devices) : FavorHalfTests(devices), IClassFixture<DriverDevices>;
