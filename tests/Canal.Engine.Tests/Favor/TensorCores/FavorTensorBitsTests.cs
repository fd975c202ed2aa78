using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Favor.TensorCores;

/// <summary>The same bits for a cell alone or in a batch.</summary>
public abstract class FavorTensorBitsTests(Func<CudaDevice> open)
{
    [SkippableTheory]
    [InlineData(DType.BFloat16, 266, 70)]
    [InlineData(DType.Float16, 44, 600)]
    public void ACellAloneGivesTheBitsItGivesInABatch(DType type, int features, int tokens)
    {
        var sizes = new FavorSizes(2, tokens, 2, 64, features, KeyMaximumScope.Cell);
        var problem = FavorHalfRun.Problem(type, sizes, norm: 8, offset: 3);
        var cell = sizes.Tokens * sizes.Heads * sizes.HeadWidth;
        using var device = open();
        var together = FavorHalfRun.Run(device, type, problem);
        var range = cell..(2 * cell);
        var alone = FavorHalfRun.Run(device, type, problem with
        {
            Sizes = sizes with { Cells = 1 },
            Q = problem.Q[range],
            K = problem.K[range],
            V = problem.V[range],
            DOut = problem.DOut[range],
        });
        Assert.Equal(alone.Out, together.Out[range]);
        Assert.Equal(alone.Sums, together.Sums[(together.Sums.Length / 2)..]);
        Assert.Equal(alone.KeyMaximum[0], together.KeyMaximum[1]);
        Assert.Equal([1, .. alone.KeyMaximumAt[1..]], together.KeyMaximumAt[4..]);
        Assert.Equal(alone.DQ, together.DQ[range]);
        Assert.Equal(alone.DK, together.DK[range]);
        Assert.Equal(alone.DV, together.DV[range]);
    }
}

/// <summary>Emulated: for every order of threads and every card too.</summary>
public sealed class EmulatedFavorTensorBitsTests() : FavorTensorBitsTests(() => FavorHalfRun.Device())
{
    [SkippableFact]
    public void BitsDoNotDependOnTheOrderOfThreads()
    {
        // Nine stages of keys and two splits: every ring buffer turns over more than three times.
        var problem = FavorHalfRun.Problem(DType.BFloat16, new FavorSizes(1, 530, 1, 64, 44, KeyMaximumScope.Cell), norm: 8, offset: 3);
        using var expected = FavorHalfRun.Device();
        var bits = FavorHalfRun.Run(expected, DType.BFloat16, problem).Bits;
        foreach (var order in new[] { 1, 12 })
        {
            using var device = FavorHalfRun.Device(order);
            Assert.Equal(bits, FavorHalfRun.Run(device, DType.BFloat16, problem).Bits);
        }
    }

    [SkippableFact]
    public void BitsDoNotDependOnTheCard()
    {
        // 72 heads: on the small card a block does several.
        var problem = FavorHalfRun.Problem(DType.Float16, new FavorSizes(9, 18, 8, 64, 44, KeyMaximumScope.Cell), norm: 8);
        using var large = FavorHalfRun.Device(architecture: 90, multiprocessors: 132);
        var bits = FavorHalfRun.Run(large, DType.Float16, problem).Bits;
        using var small = FavorHalfRun.Device(architecture: 75, multiprocessors: 1, workers: 1);
        Assert.Equal(bits, FavorHalfRun.Run(small, DType.Float16, problem).Bits);
    }
}

/// <summary>On a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorTensorBitsTests() : FavorTensorBitsTests(FavorHalfRun.Card);
