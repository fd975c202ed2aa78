using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Devices;

public sealed class CpuDeviceTests
{
    [Theory]
    [InlineData(0, null)]
    [InlineData(-1, null)]
    [InlineData(100_000, null)]
    [InlineData(1, 64)]
    public void BadOptionsAreRefused(int threads, int? bits) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuDevice(new CpuOptions { Threads = threads, VectorBits = bits }));

    [Fact]
    public void AnOperationWithoutAKernelIsNamed()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var thrown = Assert.Throws<NotSupportedException>(() => device.Run(new Unknown()));
        Assert.Equal("unknown: CpuDevice has no kernel for this operation.", thrown.Message);
    }

    [Fact]
    public void MemoryIsAlignedLimitedAndReturned()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1, MemoryLimit = 1 << 16 });
        var x = device.Allocate(new Shape(33));
        Assert.Equal(0, x.Address % 64);
        Assert.Throws<InsufficientMemoryException>(() => device.Allocate(new Shape(1 << 16)));
        x.Storage.Dispose();
        Assert.Equal(0u, device.Memory.Used);
    }

    [Fact]
    public void CopiesDemandEqualSizes()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var (x, y) = (device.Allocate(new Shape(3)), device.Allocate(new Shape(3)));
        device.Write<float>(x, [1, 2, 3]);
        device.Copy(y, x);
        Assert.Equal([1, 2, 3], device.Read<float>(y));
        Assert.Throws<ArgumentException>(() => device.Copy(y.Slice(0, 2), x));
        Assert.Throws<ArgumentException>(() => device.Write<float>(x, [1, 2]));
        Assert.Throws<ArgumentException>(() => device.CopyToHost(new byte[13], x));
    }

    [Fact]
    public void TokensAndOffsetsOutsideTheirTablesAreRefused()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var tokens = device.Allocate(DType.UInt8, new Shape(1, 4));
        var (x, bins, genes) = (device.Allocate(new Shape(4, 2)), device.Allocate(new Shape(7, 2)), device.Allocate(new Shape(4, 2)));
        device.Write<byte>(tokens, [0, 6, 7, 0]);
        Assert.Throws<ArgumentException>(() => device.Run(new EmbeddingForward(x, tokens, bins, genes)));
        Assert.Throws<ArgumentException>(() => device.Run(new EmbeddingBackward(bins, genes, x, tokens)));

        var offsets = device.Allocate(DType.Int32, new Shape(2));
        var (positions, values) = (device.Allocate(DType.UInt16, new Shape(2)), device.Allocate(DType.UInt8, new Shape(2)));
        device.Write<byte>(values, [1, 2]);
        foreach (var (first, last, position) in new[] { (-1, 2, 0), (0, 3, 0), (2, 1, 0), (0, 2, 3) })
        {
            device.Write<int>(offsets, [first, last]);
            device.Write<ushort>(positions, [0, (ushort)position]);
            Assert.Throws<ArgumentException>(() => device.Run(new ExpandTokens(tokens, offsets, positions, values)));
        }
        device.Write<int>(offsets, [0, 2]);
        device.Write<ushort>(positions, [0, 2]);
        device.Run(new ExpandTokens(tokens, offsets, positions, values));
        Assert.Equal([1, 0, 2, 0], device.Read<byte>(tokens));
    }

    [Fact]
    public void ActivationsKeepNaN()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var (x, y) = (device.Allocate(new Shape(20)), device.Allocate(new Shape(20)));
        device.Run(new Fill(x, float.NaN));
        device.Run(new ReluForward(y, x));
        Assert.All(device.Read<float>(y), v => Assert.True(float.IsNaN(v)));
        device.Run(new GeluForward(y, x));
        Assert.All(device.Read<float>(y), v => Assert.True(float.IsNaN(v)));
    }

    private readonly record struct Unknown : IOperation
    {
        public static string Name => "unknown";

        public void Describe(ref OperationDescription d) => d.Work(0);
    }
}
