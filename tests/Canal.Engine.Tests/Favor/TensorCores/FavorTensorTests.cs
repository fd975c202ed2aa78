using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Favor.TensorCores;

/// <summary>Properties of FAVOR+ on tensor cores that hold without a reference, and what it refuses.</summary>
public abstract class FavorTensorTests(Func<int, CudaDevice> open)
{
    [SkippableTheory]
    [InlineData(DType.Float16)]
    [InlineData(DType.BFloat16)]
    public void ConstantValuesComeBackExactly(DType type)
    {
        var problem = FavorHalfRun.Problem(type, new FavorSizes(1, 150, 2, 64, 44, KeyMaximumScope.Cell));
        Array.Fill(problem.V, Rounding.To(type, 100.1f));
        using var device = open(0);
        Assert.All(FavorHalfRun.Run(device, type, problem, backward: false).Out, x => Assert.Equal(problem.V[0], x));
    }

    [SkippableFact]
    public void TiesOfTheKeyMaximumGoToTheLowestTokenThenFeatureThenHead()
    {
        var sizes = new FavorSizes(2, 600, 3, 64, 44, KeyMaximumScope.Cell);
        var problem = FavorHalfRun.Problem(DType.Float16, sizes);
        var row = sizes.Heads * sizes.HeadWidth;
        Array.Clear(problem.K);
        Array.Clear(problem.Projection);
        problem.Projection[20 * 64] = 1;      // features 20 and 35 look at the first channel
        problem.Projection[35 * 64] = 1;
        foreach (var (token, head) in new[] { (590, 0), (70, 2), (70, 1), (200, 0) })
        {
            problem.K[(token * row) + (head * 64)] = 4;
            problem.K[((600 + token) * row) + (head * 64)] = 4;
        }
        using var device = open(1);
        Assert.Equal([0, 70, 20, 1, 1, 70, 20, 1], FavorHalfRun.Run(device, DType.Float16, problem, backward: false).KeyMaximumAt);
    }

    // The gradient of one query's maximum goes to one feature alone, the first of equals: q = 0 has all features equal.
    [SkippableFact]
    public void AQueryOfZerosSendsTheGradientOfItsMaximumToItsFirstFeature()
    {
        var problem = FavorHalfRun.Problem(DType.BFloat16, new FavorSizes(1, 20, 1, 64, 44, KeyMaximumScope.Cell));
        Array.Clear(problem.Q, 3 * 64, 64);
        using var device = open(5);
        var exact = new FavorReference(problem).Backward(FavorReference.Widen(problem.DOut));
        var plain = new FavorInHalf(problem, DType.BFloat16);
        var actual = FavorHalfRun.Run(device, DType.BFloat16, problem);
        var allowed = (2 * FavorRun.MaxError(plain.DQ[192..256], exact.DQ[192..256])) + (2 * FavorInHalf.Roundoff(DType.BFloat16) * exact.LargestTermOfQueries);
        Closeness.Assert("dq", actual.DQ.AsSpan(192, 64), exact.DQ.AsSpan(192, 64), allowed);
    }

    [SkippableFact]
    public void TheBackwardPassTakesTheStateOfAnotherDevice()
    {
        var sizes = new FavorSizes(2, 70, 2, 64, 44, KeyMaximumScope.Cell);
        var problem = FavorHalfRun.Problem(DType.BFloat16, sizes, norm: 8, offset: 3);
        using var cpu = new CpuDevice(new CpuOptions { Threads = 1 });
        var state = FavorRun.Forward(cpu, problem);
        using var device = open(0);
        var actual = FavorHalfRun.Run(device, DType.BFloat16, problem, changeState: to =>
        {
            device.Write<float>(to.Sums, state.Sums);
            device.Write<float>(to.Normalisers, state.Normalisers);
            device.Write<float>(to.MeanValues, state.MeanValues);
            device.Write<float>(to.KeyMaximum, state.KeyMaximum);
            device.Write<int>(to.KeyMaximumAt, state.KeyMaximumAt);
        });
        var exact = new FavorReference(problem).Backward(FavorReference.Widen(problem.DOut));
        var plain = new FavorInHalf(problem, DType.BFloat16);
        var roundoff = FavorInHalf.Roundoff(DType.BFloat16);
        Closeness.Assert("dq", actual.DQ, exact.DQ, (2 * FavorRun.MaxError(plain.DQ, exact.DQ)) + (2 * roundoff * exact.LargestTermOfQueries));
        Closeness.Assert("dk", actual.DK, exact.DK, (2 * FavorRun.MaxError(plain.DK, exact.DK)) + (2 * roundoff * exact.LargestTermOfKeys));
        Closeness.Assert("dv", actual.DV, exact.DV, (2 * FavorRun.MaxError(plain.DV, exact.DV)) + (2 * roundoff * exact.LargestTermOfValues));
    }

    [SkippableFact]
    public void RowsThatAreNotAlignedAreRefused()
    {
        var sizes = new FavorSizes(1, 5, 1, 64, 44, KeyMaximumScope.Cell);
        using var device = open(0);
        using var rows = new GuardedTensor(device, DType.Float16, sizes.Rows, aligned: true);
        using var shifted = new GuardedTensor(device, DType.Float16, sizes.Rows);
        using var projection = new GuardedTensor(device, new Shape(44, 64));
        using var sums = new GuardedTensor(device, new Shape(1, 1, 44, 64));
        using var normalisers = new GuardedTensor(device, new Shape(1, 1, 44));
        using var means = new GuardedTensor(device, new Shape(1, 1, 64));
        using var maximum = new GuardedTensor(device, new Shape(1));
        var places = device.Allocate(DType.Int32, new Shape(1, 4));
        using var placesMemory = places.Storage;
        var state = new FavorState(sums.Tensor, normalisers.Tensor, means.Tensor, maximum.Tensor, places);
        var error = Assert.Throws<ArgumentException>(() => device.Run(new FavorForward(rows.Tensor, state, rows.Tensor, shifted.Tensor, rows.Tensor, projection.Tensor, sizes)));
        Assert.Contains("K begins 6 bytes behind a multiple of 16", error.Message, StringComparison.Ordinal);
    }

    // A step is recorded as a graph: its launches may not read, wait or depend on anything but addresses.
    [SkippableFact]
    public void ARecordedPassGivesTheSameBits()
    {
        var sizes = new FavorSizes(1, 20, 2, 64, 44, KeyMaximumScope.Cell);
        var problem = FavorHalfRun.Problem(DType.Float16, sizes);
        using var device = open(0);
        var expected = FavorHalfRun.Run(device, DType.Float16, problem, backward: false).Out;
        using var q = new GuardedTensor(device, DType.Float16, sizes.Rows, problem.Q, aligned: true);
        using var k = new GuardedTensor(device, DType.Float16, sizes.Rows, problem.K, aligned: true);
        using var v = new GuardedTensor(device, DType.Float16, sizes.Rows, problem.V, aligned: true);
        using var output = new GuardedTensor(device, DType.Float16, sizes.Rows, aligned: true);
        using var projection = new GuardedTensor(device, new Shape(44, 64), problem.Projection);
        using var sums = new GuardedTensor(device, new Shape(1, 2, 44, 64));
        using var normalisers = new GuardedTensor(device, new Shape(1, 2, 44));
        using var means = new GuardedTensor(device, new Shape(1, 2, 64));
        using var maximum = new GuardedTensor(device, new Shape(1));
        var places = device.Allocate(DType.Int32, new Shape(1, 4));
        using var placesMemory = places.Storage;
        var state = new FavorState(sums.Tensor, normalisers.Tensor, means.Tensor, maximum.Tensor, places);
        var operation = new FavorForward(output.Tensor, state, q.Tensor, k.Tensor, v.Tensor, projection.Tensor, sizes);
        device.Run(operation);
        device.Run(new Fill(projection.Tensor, 0));
        device.Runtime.BeginCapture();
        device.Run(operation);
        var graph = device.Runtime.EndCapture();
        device.Write<float>(projection.Tensor, problem.Projection);
        device.Runtime.Replay(graph);
        Assert.Equal(expected, output.Values);
    }
}

/// <summary>Emulated, in several orders of threads.</summary>
public sealed class EmulatedFavorTensorTests() : FavorTensorTests(order => FavorHalfRun.Device(order));

/// <summary>On a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorTensorTests() : FavorTensorTests(_ => FavorHalfRun.Card());

/// <summary>What runs on tensor cores, and the scratch it takes.</summary>
public sealed class FavorTensorSizesTests
{
    [Theory]
    [InlineData(DType.Float16, 64, 266, KeyMaximumScope.Cell, 75, true)]
    [InlineData(DType.BFloat16, 64, 266, KeyMaximumScope.Cell, 75, false)]
    [InlineData(DType.BFloat16, 64, 266, KeyMaximumScope.Cell, 80, true)]
    [InlineData(DType.Float16, 64, 266, KeyMaximumScope.Cell, 70, false)]
    [InlineData(DType.Float32, 64, 266, KeyMaximumScope.Cell, 90, false)]
    [InlineData(DType.Float16, 16, 44, KeyMaximumScope.Cell, 90, false)]
    [InlineData(DType.Float16, 64, 513, KeyMaximumScope.Cell, 90, false)]
    [InlineData(DType.Float16, 64, 266, KeyMaximumScope.Batch, 90, false)]
    public void FitsHalvesOfHeadsOf64(DType type, int width, int features, KeyMaximumScope scope, int architecture, bool expected) =>
        Assert.Equal(expected, FavorTensorCores.Fits(type, new FavorSizes(1, 9, 2, width, features, scope), architecture));

    [Fact]
    public void ScratchDoesNotDependOnMoreThanSizesAndType()
    {
        var sizes = new FavorSizes(14, 1001, 10, 64, 266, KeyMaximumScope.Cell);
        Assert.Equal(FavorTensorCores.ForwardScratch(DType.BFloat16, sizes), FavorTensorCores.ForwardScratch(DType.Float16, sizes));
        Assert.Equal((nuint)0, FavorTensorCores.ForwardScratch(DType.Float32, sizes));
        // One activation of this batch takes 17.9 MB; parts of two splits a head, and S' in halves.
        Assert.InRange((double)FavorTensorCores.ForwardScratch(DType.BFloat16, sizes), 26e6, 28e6);
        Assert.InRange((double)FavorTensorCores.BackwardScratch(DType.BFloat16, sizes), 36e6, 40e6);
    }
}
