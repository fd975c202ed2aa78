using Canal.Engine.Devices.Cpu;
using Canal.Engine.Optimizers;
using Canal.Learning;
using Canal.Models;

namespace Canal.Tests.Learning;

public class TrainingStepTests
{
    [Fact]
    public void AWarmStep_AllocatesNothing_NeitherManagedNorFromTheDevice()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var cells = LearningSamples.Stage("one", 20, 0, 1);
        var model = LearningSamples.Fresh().Grow(new CellTypeLibrary(["type 0", "type 1"], [1, 1]), 1);
        using var network = new CellTypeNetwork(device, model);
        network.Parameters.Train(TrainableSet.LastButOne);
        var all = Enumerable.Range(0, cells.Count).ToArray();
        var pool = new StagePool(cells.Tokens, [.. cells.Labels.Select(l => l == "type 0" ? 0 : 1)], all, []);
        using var representations = ActivationCache.Create(device, cells.Count, network.RepresentationWidth, 0, "");
        using var task = new StageTask(network, pool, new StepSettings(10, 4, 0.1, 0.1, 1.0), null, new CachedTeacher(representations));
        for (var step = 0; step < 4; step++) task.Step(all.AsSpan(10 * step, 10), 0, step, 1e-3);
        var (managed, blocks) = (GC.GetAllocatedBytesForCurrentThread(), device.Memory.SourceAllocations);
        for (var step = 0; step < 4; step++) task.Step(all.AsSpan(10 * step, 10), 1, step, 1e-3);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - managed);
        Assert.Equal(blocks, device.Memory.SourceAllocations);
    }
}
