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

    [Theory]
    [InlineData(DType.Float16)]
    [InlineData(DType.BFloat16)]
    public void HalvesAreGuardedToo(DType type)
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        using var ones = new GuardedTensor(device, new Shape(16), Enumerable.Repeat(1f, 16).ToArray());
        using var tensor = new GuardedTensor(device, type, new Shape(15));
        Assert.All(tensor.Values, v => Assert.True(float.IsNaN(v)));
        Assert.Throws<FailException>(() => tensor.AssertFullyWritten("y"));
        device.Run(new Operations.Convert(tensor.Tensor, ones.Tensor.Slice(0, 15)));
        tensor.AssertWrittenInside("y");
        Assert.All(tensor.Values, v => Assert.Equal(1, v));
        device.Run(new Operations.Convert(tensor.Tensor with { Shape = new Shape(16) }, ones.Tensor));
        Assert.Throws<FailException>(() => tensor.AssertCanariesIntact("y"));
        using var other = new GuardedTensor(device, type, new Shape(15), new float[15], aligned: true);
        Assert.Equal(0, other.Tensor.Address % 16);
        device.Run(new Operations.Convert(other.Tensor with { Offset = other.Tensor.Offset - 2 }, ones.Tensor.Slice(0, 15)));
        Assert.Throws<FailException>(() => other.AssertCanariesIntact("y"));
    }
}
