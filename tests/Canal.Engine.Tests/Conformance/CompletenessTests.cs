using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;

namespace Canal.Engine.Tests.Conformance;

/// <summary>No operation without an implementation on every device, none without a case.</summary>
public sealed class CompletenessTests
{
    private static IEnumerable<Type> Operations => typeof(IOperation).Assembly.GetTypes().Where(t => t.IsValueType && t.IsAssignableTo(typeof(IOperation)));

    [Fact]
    public void TheProcessorImplementsEveryOperation()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        Assert.Empty(Operations.Where(t => !device.Implements(t)).Select(t => t.Name));
    }

    // The conformance suite passes over what a device does not implement: nothing may be missing there unseen.
    [Fact]
    public void TheCardImplementsEveryOperation() => Assert.Empty(Operations.Where(t => !CudaDevice.Implements(t)).Select(t => t.Name));

    // Attention and the fused block are held to float64, canaries and equal bits by suites of their own: they carry state between passes.
    [Fact]
    public void EveryOperationHasACase()
    {
        Type[] elsewhere = [typeof(FavorForward), typeof(FavorBackward), typeof(GeneAttention), typeof(EncoderBlockForward)];
        var covered = OperationCases.All.Select(c => c.Operation).Concat(elsewhere).ToHashSet();
        Assert.Empty(Operations.Where(t => !covered.Contains(t)).Select(t => t.Name));
    }

    [Fact]
    public void NamesAreUnique()
    {
        var names = Operations.Select(t => (string)t.GetProperty(nameof(IOperation.Name))!.GetValue(null)!).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.All(names, n => Assert.Matches("^[a-z][a-z_]+$", n));
    }
}
