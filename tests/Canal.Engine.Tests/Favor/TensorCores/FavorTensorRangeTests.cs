using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor.TensorCores;

/// <summary>
/// Values at and behind the end of float16. No finite input overflows inside the kernels: projections, norms, sums and maxima are float32, features stay
/// below 2^8 of a running reference, S' and dS are scaled a head. What overflows first is the input itself: the product that makes q, k or v stores
/// infinity for what passes 65,504, and the guard names the head that it happens in.
/// </summary>
public abstract class FavorTensorRangeTests(Func<CudaDevice> open)
{
    private static readonly FavorSizes Sizes = new(2, 40, 3, 64, 44, KeyMaximumScope.Cell);
    private static readonly int Row = Sizes.Heads * Sizes.HeadWidth;

    [SkippableTheory]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(float.NaN)]
    public void TheGuardNamesTheHeadAndTheKind(float planted)
    {
        using var device = open();
        AssertGuard([0, FavorForward.NonFiniteKeys, 0], problem => problem.K[At(1, 33, 1)] = planted);
        AssertGuard([0, 0, FavorForward.NonFiniteValues], problem => problem.V[At(1, 2, 2)] = planted);
        AssertGuard([FavorForward.NonFiniteQueries, 0, 0], problem => problem.Q[At(0, 17, 0)] = planted);
        AssertGuard([0, FavorForward.NonFiniteKeys | FavorForward.NonFiniteValues, FavorForward.NonFiniteQueries], problem =>
        {
            problem.K[At(1, 0, 1)] = planted;
            problem.V[At(0, 39, 1)] = planted;
            problem.Q[At(1, 39, 2)] = planted;
        });

        void AssertGuard(int[] expected, Action<FavorProblem> plant)
        {
            var problem = FavorHalfRun.Problem(DType.Float16, Sizes);
            plant(problem);
            Assert.Equal(expected, FavorHalfRun.Run(device, DType.Float16, problem, backward: false).Guard);
        }
    }

    [SkippableTheory]
    [InlineData(300)]
    [InlineData(65504)]
    public void TheLargestFiniteKeysAndQueriesGiveFiniteNumbersAndNoFlag(float large)
    {
        var problem = FavorHalfRun.Problem(DType.Float16, Sizes);
        for (var d = 0; d < 64; d++)
        {
            problem.K[At(1, 5, 1) + d] = d % 2 == 0 ? large : -large;
            problem.Q[At(1, 6, 1) + d] = large;
        }
        using var device = open();
        var actual = FavorHalfRun.Run(device, DType.Float16, problem);
        Assert.Equal([0, 0, 0], actual.Guard);
        var scale = problem.V.Max(x => Math.Abs((double)x));
        // Such a key raises M until the other keys of its cell weigh nothing against eps, here as in float64.
        Closeness.Assert("out", actual.Out, new FavorReference(problem).Forward(), 4 * FavorInHalf.Roundoff(DType.Float16) * scale);
        Assert.All(actual.DQ.Concat(actual.DK).Concat(actual.DV), x => Assert.True(float.IsFinite(x)));
    }

    [SkippableTheory]
    [InlineData(DType.Float16, 2000)]
    [InlineData(DType.BFloat16, 1e15f)]
    public void LargeValuesAndOutputGradientsDoNotOverflowOnTheWay(DType type, float large)
    {
        var sizes = Sizes with { Cells = 1, Heads = 1 };
        var small = FavorHalfRun.Problem(type, sizes);
        var power = MathF.Pow(2, MathF.Floor(MathF.Log2(large / 8)));
        using var device = open();
        var expected = FavorHalfRun.Run(device, type, small);
        // A power of two in v goes through to out, and cancels in dq and dk, but for the last bit of float32 exponents and what that rounds otherwise.
        var scaled = FavorHalfRun.Run(device, type, small with { V = Array.ConvertAll(small.V, x => x * power), DOut = Array.ConvertAll(small.DOut, x => x / power) });
        Assert.Equal(Array.ConvertAll(expected.Out, x => x * power), scaled.Out);
        if (type == DType.BFloat16)
        {
            var roundoff = FavorInHalf.Roundoff(type);
            Closeness.Assert("dq", scaled.DQ, FavorReference.Widen(expected.DQ), 2 * roundoff * expected.DQ.Max(MathF.Abs));
            Closeness.Assert("dk", scaled.DK, FavorReference.Widen(expected.DK), 2 * roundoff * expected.DK.Max(MathF.Abs));
        }
        Assert.All(scaled.DQ.Concat(scaled.DK).Concat(scaled.DV), x => Assert.True(float.IsFinite(x)));
    }

    [SkippableFact]
    public void NotANumberInOneCellStaysInThatCell()
    {
        var problem = FavorHalfRun.Problem(DType.BFloat16, Sizes);
        using var device = open();
        var clean = FavorHalfRun.Run(device, DType.BFloat16, problem);
        problem.K[At(1, 13, 0)] = float.NaN;
        var spoilt = FavorHalfRun.Run(device, DType.BFloat16, problem);
        var cell = Sizes.Tokens * Row;
        Assert.Equal(clean.Out[..cell], spoilt.Out[..cell]);
        Assert.Equal(clean.DK[..cell], spoilt.DK[..cell]);
        for (var token = 0; token < Sizes.Tokens; token++) Assert.True(float.IsNaN(spoilt.Out[At(1, token, 0)]));
    }

    private static int At(int cell, int token, int head) => (((cell * Sizes.Tokens) + token) * Row) + (head * Sizes.HeadWidth);
}

/// <summary>Emulated.</summary>
public sealed class EmulatedFavorTensorRangeTests() : FavorTensorRangeTests(() => FavorHalfRun.Device());

/// <summary>On a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorTensorRangeTests() : FavorTensorRangeTests(FavorHalfRun.Card);
