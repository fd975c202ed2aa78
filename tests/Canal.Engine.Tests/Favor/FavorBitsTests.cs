using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tests.Conformance;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>
/// The same bits on every device of a family (numbers of threads and vector widths; orders of threads, workers and sizes of card), and for a cell alone or in a batch.
/// </summary>
public abstract class FavorBitsTests(DeviceFamily devices)
{
    // Two widths of head: whole registers, and padded ones. 300 tokens are two splits, the second of a short tile.
    public static TheoryData<int, int> Heads => new() { { 64, 266 }, { 20, 44 } };

    [SkippableTheory, MemberData(nameof(Heads))]
    public void BitsAreThoseOfEveryDevice(int width, int features)
    {
        devices.Require();
        var problem = FavorRun.Problem(new FavorSizes(2, 300, 2, width, features, KeyMaximumScope.Cell), norm: 8, offset: 10);
        var expected = Bits(devices.All[0], problem);
        foreach (var device in devices.All.Skip(1)) Assert.Equal(expected, Bits(device, problem));
    }

    // 130 heads of two splits: more than one wave on the processor. 1,025 of one split: more than one on CUDA.
    public static TheoryData<int, int, int, int, int> Batches => new() { { 3, 300, 2, 64, 266 }, { 26, 257, 5, 8, 1 }, { 205, 3, 5, 8, 1 } };

    [SkippableTheory, MemberData(nameof(Batches))]
    public void ACellAloneGivesTheBitsItGivesInABatch(int cells, int tokens, int heads, int width, int features)
    {
        var device = devices.Ready();
        var sizes = new FavorSizes(cells, tokens, heads, width, features, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        var cell = sizes.Tokens * sizes.Heads * sizes.HeadWidth;
        var (forward, backward) = FavorRun.Both(device, problem);
        for (var c = 0; c < sizes.Cells; c += Math.Max(1, cells / 3))
        {
            var range = (c * cell)..((c + 1) * cell);
            var alone = problem with
            {
                Sizes = sizes with { Cells = 1 },
                Q = problem.Q[range],
                K = problem.K[range],
                V = problem.V[range],
                DOut = problem.DOut[range],
            };
            var (aloneForward, aloneBackward) = FavorRun.Both(device, alone);
            Assert.Equal(aloneForward.Out, forward.Out[range]);
            Assert.Equal(aloneBackward.DQ, backward.DQ[range]);
            Assert.Equal(aloneBackward.DK, backward.DK[range]);
            Assert.Equal(aloneBackward.DV, backward.DV[range]);
        }
    }

    private static int[] Bits(Device device, FavorProblem problem)
    {
        var (forward, backward) = FavorRun.Both(device, problem);
        return [.. forward.AllFloats.Concat(backward.AllFloats).Select(BitConverter.SingleToInt32Bits), .. forward.KeyMaximumAt];
    }
}

/// <summary>The processor.</summary>
public sealed class CpuFavorBitsTests(CpuDevices devices) : FavorBitsTests(devices), IClassFixture<CpuDevices>;

/// <summary>The CUDA device on the emulator.</summary>
public sealed class EmulatedFavorBitsTests(EmulatedDevices devices) : FavorBitsTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>The CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorBitsTests(DriverDevices devices) : FavorBitsTests(devices), IClassFixture<DriverDevices>;
