using Canal.Engine.Devices;
using Canal.Engine.Devices.Checked;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Devices;

public sealed class CheckedDeviceTests
{
    [Fact]
    public void GoodOperationsPassInPlaceToo()
    {
        using var device = new CheckedDevice(new CpuDevice(new CpuOptions { Threads = 2 }));
        var (x, y) = (device.Allocate(new Shape(300_000)), device.Allocate(new Shape(300_000)));
        device.Run(new Fill(x, -2));
        device.Run(new ReluForward(y, x));
        device.Run(new GeluForward(x, x));
        device.Run(new Add(y, x));
        Assert.Equal(-2 * 0.02275013, device.Read<float>(y)[299_999], 1e-6);
    }

    [Fact]
    public void InfinityIsFoundWithItsPlace()
    {
        using var device = new CheckedDevice(new CpuDevice(new CpuOptions { Threads = 1 }));
        var (x, y) = (device.Allocate(new Shape(2, 300_000)), device.Allocate(new Shape(2, 300_000)));
        var values = new float[600_000];
        values[555_555] = float.PositiveInfinity;
        device.Write<float>(x, values);
        device.Run(new Fill(y, 0));
        var thrown = Assert.Throws<InvalidOperationException>(() => device.Run(new Add(y, x)));
        Assert.Equal("add: element 555555 of Y [2, 300000] is Infinity.", thrown.Message);
    }

    [Fact]
    public void ASkippedWriteIsFound()
    {
        using var device = new CheckedDevice(new FaultyDevice(skipWrites: true));
        var (x, y) = (device.Allocate(new Shape(5)), device.Allocate(new Shape(5)));
        device.Write<float>(x, new float[5]);
        var thrown = Assert.Throws<InvalidOperationException>(() => device.Run(new ReluForward(y, x)));
        Assert.Equal("relu_forward: element 0 of Y [5] was never written.", thrown.Message);
    }

    [Theory]
    [InlineData(DType.Float16, 1e6f)]
    [InlineData(DType.BFloat16, 3.4e38f)]
    public void HalvesAreWatchedToo(DType type, float large)
    {
        using var device = new CheckedDevice(new CpuDevice(new CpuOptions { Threads = 1 }));
        var (x, y) = (device.Allocate(new Shape(5)), device.Allocate(type, new Shape(5)));
        device.Write<float>(x, [0, 1, -2, 3, 65504]);
        device.Run(new Operations.Convert(y, x));
        device.Write<float>(x, [0, 1, -2, large, 4]);
        var thrown = Assert.Throws<InvalidOperationException>(() => device.Run(new Operations.Convert(y, x)));
        Assert.Equal("convert: element 3 of Y [5] is Infinity.", thrown.Message);

        using var faulty = new CheckedDevice(new FaultyDevice(skipWrites: true));
        var (from, to) = (faulty.Allocate(new Shape(5)), faulty.Allocate(type, new Shape(5)));
        faulty.Write<float>(from, new float[5]);
        thrown = Assert.Throws<InvalidOperationException>(() => faulty.Run(new Operations.Convert(to, from)));
        Assert.Equal("convert: element 0 of Y [5] was never written.", thrown.Message);
    }

    [Fact]
    public void AChangedInputIsFound()
    {
        using var device = new CheckedDevice(new FaultyDevice(skipWrites: false));
        var (x, y) = (device.Allocate(new Shape(5)), device.Allocate(new Shape(5)));
        device.Write<float>(x, new float[5]);
        var thrown = Assert.Throws<InvalidOperationException>(() => device.Run(new ReluForward(y, x)));
        Assert.Equal("relu_forward: X is declared as read, but the operation changed it.", thrown.Message);
    }

    // Writes either nothing, or a one into every tensor.
    private sealed class FaultyDevice(bool skipWrites) : Device(new MemoryPool(new HostMemory()))
    {
        public override string Description => "faulty";

        public override void Copy(Tensor to, Tensor from) => from.Span<float>().CopyTo(to.Span<float>());

        public override void CopyFromHost(Tensor to, ReadOnlySpan<byte> from) => from.CopyTo(Bytes(to));

        public override void CopyToHost(Span<byte> to, Tensor from) => Bytes(from).CopyTo(to);

        public override void Synchronise() { }

        protected override void Execute<TOp>(in TOp operation, ref OperationDescription description)
        {
            if (skipWrites) return;
            foreach (var use in description.Uses) use.Tensor.Span<float>().Fill(1);
        }

        private static Span<byte> Bytes(Tensor tensor) => new Tensor(tensor.Storage, tensor.Offset, DType.UInt8, new Shape((int)tensor.Bytes)).Span<byte>();
    }
}
