using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor;

/// <summary>The same bits for every number of threads, every vector width, and for a cell alone or in a batch.</summary>
public class FavorBitsTests
{
    // Two widths of head: whole registers, and padded ones. 300 tokens are two splits, the second of a short tile.
    public static TheoryData<int, int> Heads => new() { { 64, 266 }, { 20, 44 } };

    [Theory, MemberData(nameof(Heads))]
    public void BitsDoNotDependOnThreadsOrVectorWidth(int width, int features)
    {
        var problem = FavorRun.Problem(new FavorSizes(2, 300, 2, width, features, KeyMaximumScope.Cell), norm: 8, offset: 10);
        var expected = Bits(new CpuOptions { Threads = 1, VectorBits = 512 }, problem);
        foreach (var threads in new[] { 2, 3, 7 }) Assert.Equal(expected, Bits(new CpuOptions { Threads = threads, VectorBits = 512 }, problem));
        foreach (var bits in new[] { 256, 128 }) Assert.Equal(expected, Bits(new CpuOptions { Threads = 2, VectorBits = bits }, problem));
    }

    [Theory, MemberData(nameof(Heads))]
    public void ACellAloneGivesTheBitsItGivesInABatch(int width, int features)
    {
        // 130 heads of two splits: more than one wave.
        var sizes = new FavorSizes(26, 257, 5, 8, 17, KeyMaximumScope.Cell);
        if (width == 64) sizes = new FavorSizes(3, 300, 2, width, features, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(sizes);
        var cell = sizes.Tokens * sizes.Heads * sizes.HeadWidth;
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var (forward, backward) = FavorRun.Both(device, problem);
        for (var c = 0; c < sizes.Cells; c += 5)
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

    private static int[] Bits(CpuOptions options, FavorProblem problem)
    {
        using var device = new CpuDevice(options);
        var (forward, backward) = FavorRun.Both(device, problem);
        return [.. forward.AllFloats.Concat(backward.AllFloats).Select(BitConverter.SingleToInt32Bits), .. forward.KeyMaximumAt];
    }
}
