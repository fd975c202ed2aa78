using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Xunit.Sdk;

namespace Canal.Engine.Tests.Testing;

public sealed class GuardedTensorTests
{
    [Fact]
    public void SkippedAndStrayWritesAreFound()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        using var tensor = new GuardedTensor(device, new Shape(3, 5));
        Assert.Throws<FailException>(() => tensor.AssertFullyWritten("y"));
        tensor.AssertCanariesIntact("y");
        device.Run(new Fill(tensor.Tensor.Slice(0, 2), 1));
        Assert.Throws<FailException>(() => tensor.AssertFullyWritten("y"));
        device.Run(new Fill(tensor.Tensor, 1));
        tensor.AssertWrittenInside("y");
        var longer = tensor.Tensor with { Shape = new Shape(16) };
        device.Run(new Fill(longer, 1));
        Assert.Throws<FailException>(() => tensor.AssertCanariesIntact("y"));
        using var other = new GuardedTensor(device, new Shape(3, 5), new float[15]);
        device.Run(new Fill(other.Tensor with { Offset = other.Tensor.Offset - sizeof(float) }, 1));
        Assert.Throws<FailException>(() => other.AssertCanariesIntact("y"));
    }
}
