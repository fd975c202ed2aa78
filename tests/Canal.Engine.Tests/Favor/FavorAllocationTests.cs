using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Engine.Tests.Conformance;

namespace Canal.Engine.Tests.Favor;

/// <summary>Warm operations take no memory, on the devices of a family.</summary>
public abstract class FavorAllocationTests(DeviceFamily devices)
{
    [SkippableFact]
    public void NothingIsAllocatedOnceWarm()
    {
        var s = new FavorSizes(2, 270, 3, 20, 44, KeyMaximumScope.Cell);
        var problem = FavorRun.Problem(s);
        var device = devices.Ready();
        Tensor[] rows = [.. Enumerable.Range(0, 8).Select(_ => device.Allocate(s.Rows))];
        device.Write<float>(rows[0], problem.Q);
        device.Write<float>(rows[1], problem.K);
        device.Write<float>(rows[2], problem.V);
        device.Write<float>(rows[3], problem.DOut);
        var projection = device.Allocate(new Shape(s.Features, s.HeadWidth));
        device.Write<float>(projection, problem.Projection);
        var state = new FavorState(
            device.Allocate(new Shape(s.Cells, s.Heads, s.Features, s.HeadWidth)),
            device.Allocate(new Shape(s.Cells, s.Heads, s.Features)),
            device.Allocate(new Shape(s.Cells, s.Heads, s.HeadWidth)),
            device.Allocate(new Shape(s.Maxima)),
            device.Allocate(DType.Int32, new Shape(s.Maxima, 4)));
        var scores = device.Allocate(new Shape(s.Cells, s.Tokens));
        var weights = device.Allocate(new Shape(s.Heads));
        device.Run(new Fill(scores, 0));
        device.Run(new Fill(weights, 1));
        Step();
        Step();
        var (bytes, blocks) = (GC.GetAllocatedBytesForCurrentThread(), device.Memory.SourceAllocations);
        Step();
        Assert.Equal(bytes, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(blocks, device.Memory.SourceAllocations);
        foreach (var tensor in rows.Concat([projection, state.Sums, state.Normalisers, state.MeanValues, state.KeyMaximum, state.KeyMaximumAt, scores, weights]))
        {
            tensor.Storage.Dispose();
        }

        void Step()
        {
            device.Run(new FavorForward(rows[4], state, rows[0], rows[1], rows[2], projection, s));
            device.Run(new FavorBackward(rows[5], rows[6], rows[7], rows[3], rows[4], state, rows[0], rows[1], rows[2], projection, s));
            device.Run(new GeneAttention(scores, rows[0], rows[1], projection, weights, s));
        }
    }
}

/// <summary>The processor.</summary>
public sealed class CpuFavorAllocationTests(CpuDevices devices) : FavorAllocationTests(devices), IClassFixture<CpuDevices>;

/// <summary>The CUDA device on the emulator.</summary>
public sealed class EmulatedFavorAllocationTests(EmulatedDevices devices) : FavorAllocationTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>The CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverFavorAllocationTests(DriverDevices devices) : FavorAllocationTests(devices), IClassFixture<DriverDevices>;
