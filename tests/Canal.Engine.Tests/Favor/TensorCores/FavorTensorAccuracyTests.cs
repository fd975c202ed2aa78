using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor.TensorCores;

/// <summary>FAVOR+ on tensor cores against float64, held to a plain implementation with the same operands (style R26).</summary>
public abstract class FavorTensorAccuracyTests(Func<int, CudaDevice> open)
{
    // Type, B, T, H, M, |q|, offset of v, thread order (emulated; random ones on a card whose exponentials and sums err): edges of warps, stages (64 tokens), blocks (128) and splits (512); rings turned over three times;
    // features that leave a tile over (266), or two groups of tiles and a row of ones alone (512), or fewer tiles than warps (44); long queries, values off centre.
    public static TheoryData<DType, int, int, int, int, double, double, int> Cases => new()
    {
        { DType.BFloat16, 2, 1, 1, 44, 3, 0, 0 },
        { DType.Float16, 1, 1, 2, 266, 8, 3, 1 },
        { DType.BFloat16, 2, 15, 2, 44, 3, 0, 7 },
        { DType.BFloat16, 1, 17, 1, 266, 16, 0, 0 },
        { DType.Float16, 1, 17, 1, 512, 3, 100, 1 },
        { DType.BFloat16, 1, 63, 1, 512, 8, 3, 1 },
        { DType.Float16, 1, 65, 1, 266, 16, 3, 0 },
        { DType.BFloat16, 1, 65, 2, 44, 8, 100, 11 },
        { DType.Float16, 1, 255, 1, 44, 3, 3, 0 },
        { DType.Float16, 1, 256, 1, 44, 8, 0, 1 },
        { DType.BFloat16, 1, 257, 1, 44, 16, 100, 3 },
        { DType.BFloat16, 1, 321, 1, 266, 8, 3, 5 },
        { DType.Float16, 1, 321, 1, 266, 8, 3, 0 },
        { DType.BFloat16, 1, 1001, 1, 44, 3, 3, 0 },
        { DType.Float16, 1, 1001, 1, 44, 16, 0, 1 },
    };

    [SkippableTheory, MemberData(nameof(Cases))]
    public void ErrsAtMostTwiceThePlainCentredForm(DType type, int cells, int tokens, int heads, int features, double norm, double offset, int order)
    {
        var problem = FavorHalfRun.Problem(type, new FavorSizes(cells, tokens, heads, 64, features, KeyMaximumScope.Cell), norm, offset);
        using var device = open(order);
        var actual = FavorHalfRun.Run(device, type, problem);
        var reference = new FavorReference(problem);
        var plain = new FavorInHalf(problem, type);
        var roundoff = FavorInHalf.Roundoff(type);
        var exact = reference.Backward(FavorReference.Widen(problem.DOut));

        // The largest intermediate of the output is a value, out being a mean of them; of a gradient a term of its last sum.
        Assert("out", actual.Out, plain.Out, reference.Forward(), problem.V.Max(x => Math.Abs((double)x)));
        Assert("dq", actual.DQ, plain.DQ, exact.DQ, exact.LargestTermOfQueries);
        Assert("dk", actual.DK, plain.DK, exact.DK, exact.LargestTermOfKeys);
        Assert("dv", actual.DV, plain.DV, exact.DV, exact.LargestTermOfValues);
        Xunit.Assert.Equal(plain.KeyMaximumAt, actual.KeyMaximumAt);
        Closeness.Assert("M", actual.KeyMaximum, FavorReference.Widen(plain.KeyMaximum), 1e-5 * plain.KeyMaximum.Max(MathF.Abs));
        Xunit.Assert.All(actual.Guard, flags => Xunit.Assert.Equal(0, flags));

        void Assert(string what, float[] values, float[] plainValues, double[] truth, double scale)
        {
            Closeness.Assert(what, values, truth, (2 * FavorRun.MaxError(plainValues, truth)) + (2 * roundoff * scale));
        }
    }
}

/// <summary>Emulated.</summary>
public sealed class EmulatedFavorTensorAccuracyTests() : FavorTensorAccuracyTests(order => order > 1 ? FavorHalfRun.RoughDevice(order) : FavorHalfRun.Device(order));

/// <summary>On a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorTensorAccuracyTests() : FavorTensorAccuracyTests(_ => FavorHalfRun.Card());
