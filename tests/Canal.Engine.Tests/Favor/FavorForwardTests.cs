using Canal.Engine.Operations;
using Canal.Engine.Tests.Conformance;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>FAVOR+ forward on the devices of a family: against float64, and properties that need no reference.</summary>
public abstract class FavorForwardTests(DeviceFamily devices)
{
    private const double UnitRoundoff = 1.0 / (1 << 24);

    // B, T, H, D, M, scope, |q|, offset of v: edges of tiles (64 tokens, 16 floats) and splits (256 tokens), long queries, values off centre.
    public static TheoryData<int, int, int, int, int, KeyMaximumScope, double, double> Cases => new()
    {
        { 1, 1, 1, 8, 1, KeyMaximumScope.Cell, 3, 0 },
        { 2, 1, 2, 16, 33, KeyMaximumScope.Batch, 3, 0 },
        { 2, 31, 2, 16, 44, KeyMaximumScope.Cell, 3, 0 },
        { 2, 33, 3, 20, 44, KeyMaximumScope.Batch, 8, 100 },
        { 1, 65, 1, 64, 266, KeyMaximumScope.Cell, 8, 0 },
        { 1, 70, 2, 72, 40, KeyMaximumScope.Cell, 8, 100 },
        { 3, 97, 2, 20, 44, KeyMaximumScope.Cell, 16, 100 },
        { 2, 257, 2, 64, 266, KeyMaximumScope.Cell, 3, 100 },
        { 1, 513, 1, 16, 33, KeyMaximumScope.Cell, 8, 100 },
        { 1, 257, 2, 64, 266, KeyMaximumScope.Batch, 16, 0 },
        { 1, 1001, 1, 64, 266, KeyMaximumScope.Cell, 16, 100 },
    };

    [SkippableTheory, MemberData(nameof(Cases))]
    public void ErrsAtMostTwiceThePlainCentredForm(
        int cells, int tokens, int heads, int width, int features, KeyMaximumScope scope, double norm, double offset)
    {
        var problem = FavorRun.Problem(new FavorSizes(cells, tokens, heads, width, features, scope), norm, offset);
        var device = devices.Ready();
        var actual = FavorRun.Forward(device, problem);
        var reference = new FavorReference(problem);
        var exact = reference.Forward();
        var plain = new FavorInFloat32(problem).Out;

        // The largest intermediate is a value: out is a mean of them.
        var scale = problem.V.Max(x => Math.Abs((double)x));
        Closeness.Assert("out", actual.Out, exact, (2 * FavorRun.MaxError(plain, exact)) + (2 * UnitRoundoff * scale));
        Assert.Equal(reference.KeyMaximumAt, actual.KeyMaximumAt);
        var projected = problem.Projection.Max(x => Math.Abs((double)x)) * problem.K.Max(x => Math.Abs((double)x));
        Closeness.Assert("M", actual.KeyMaximum, reference.KeyMaximum, 2 * width * UnitRoundoff * projected);
    }

    [SkippableFact]
    public void ConstantValuesComeBackExactly()
    {
        var sizes = new FavorSizes(2, 300, 2, 16, 33, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        Array.Fill(problem.V, 100.1f);
        var device = devices.Ready();
        Assert.All(FavorRun.Forward(device, problem).Out, x => Assert.Equal(100.1f, x));
    }

    [SkippableFact]
    public void PermutingTokensPermutesOutputs()
    {
        var sizes = new FavorSizes(1, 300, 2, 16, 33, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        var permuted = problem with { Q = Reverse(problem.Q, 32), K = Reverse(problem.K, 32), V = Reverse(problem.V, 32) };
        var device = devices.Ready();
        var plainError = FavorRun.MaxError(new FavorInFloat32(problem).Out, new FavorReference(problem).Forward());
        var first = FavorRun.Forward(device, problem);
        var second = FavorRun.Forward(device, permuted);
        Closeness.Assert(
            "permuted", second.Out, FavorReference.Widen(Reverse(first.Out, 32)), 4 * (plainError + (UnitRoundoff * problem.V.Max(Math.Abs))));
        Assert.Equal(299 - first.KeyMaximumAt[1], second.KeyMaximumAt[1]);
    }

    [SkippableFact]
    public void TiesOfTheKeyMaximumGoToTheLowestTokenThenFeatureThenHead()
    {
        var sizes = new FavorSizes(2, 300, 3, 16, 33, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        var row = sizes.Heads * sizes.HeadWidth;
        Array.Clear(problem.K);
        Array.Clear(problem.Projection, 0, problem.Projection.Length);
        problem.Projection[5 * 16] = 1;      // features 5 and 9 look at the first channel
        problem.Projection[9 * 16] = 1;
        foreach (var (token, head) in new[] { (290, 0), (70, 2), (70, 1), (200, 0) })
        {
            problem.K[(token * row) + (head * 16)] = 4;
            problem.K[((300 + token) * row) + (head * 16)] = 4;
        }
        var device = devices.Ready();
        Assert.Equal([0, 70, 5, 1, 1, 70, 5, 1], FavorRun.Forward(device, problem).KeyMaximumAt);
        var batch = problem with { Sizes = sizes with { Scope = KeyMaximumScope.Batch } };
        Assert.Equal([0, 70, 5, 1], FavorRun.Forward(device, batch).KeyMaximumAt);
    }

    [SkippableFact]
    public void ALongKeyThatComesLateOrFarAwayKeepsTheSumsFinite()
    {
        // Far above what exp holds without a running reference: c P k reaches 200.
        var sizes = new FavorSizes(1, 400, 1, 16, 33, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes, norm: 60);
        for (var i = 0; i < 300 * 16; i++) problem.K[i] *= 0.01f;
        var device = devices.Ready();
        var actual = FavorRun.Forward(device, problem).Out;
        var exact = new FavorReference(problem).Forward();
        var plain = FavorRun.MaxError(new FavorInFloat32(problem).Out, exact);
        Closeness.Assert("out", actual, exact, (2 * plain) + (2 * UnitRoundoff * problem.V.Max(Math.Abs)));
    }

    [SkippableFact]
    public void NotANumberInOneCellStaysInThatCell()
    {
        var sizes = new FavorSizes(3, 70, 2, 16, 33, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        var width = sizes.Heads * sizes.HeadWidth;
        var device = devices.Ready();
        var clean = FavorRun.Forward(device, problem).Out;
        problem.K[(70 + 13) * width] = float.NaN;
        var spoilt = FavorRun.Forward(device, problem).Out;
        Assert.Equal(clean[..(70 * width)], spoilt[..(70 * width)]);
        Assert.Equal(clean[(140 * width)..], spoilt[(140 * width)..]);
        for (var token = 70; token < 140; token++) Assert.True(float.IsNaN(spoilt[token * width]), $"token {token} is {spoilt[token * width]}");
    }

    private static float[] Reverse(float[] rows, int width)
    {
        var reversed = new float[rows.Length];
        for (var i = 0; i < rows.Length; i += width) rows.AsSpan(i, width).CopyTo(reversed.AsSpan(rows.Length - width - i));
        return reversed;
    }
}

/// <summary>The processor.</summary>
public sealed class CpuFavorForwardTests(CpuDevices devices) : FavorForwardTests(devices), IClassFixture<CpuDevices>;

/// <summary>The CUDA device on the emulator.</summary>
public sealed class EmulatedFavorForwardTests(EmulatedDevices devices) : FavorForwardTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>The CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorForwardTests(DriverDevices devices) : FavorForwardTests(devices), IClassFixture<DriverDevices>;
