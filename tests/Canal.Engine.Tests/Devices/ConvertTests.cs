using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Devices;

/// <summary>Conversion between element types is exact, bit by bit, on the processor and on the emulated card.</summary>
public sealed class ConvertTests
{
    public static TheoryData<bool, DType> Cases => new()
    {
        { false, DType.Float16 }, { false, DType.BFloat16 }, { true, DType.Float16 }, { true, DType.BFloat16 },
    };

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Every_half_survives_the_way_to_float32_and_back(bool cuda, DType type)
    {
        using var device = Create(cuda);
        var halves = Enumerable.Range(0, 1 << 16).Select(i => (ushort)i).ToArray();
        var (narrow, wide, back) = (device.Allocate(type, new Shape(1 << 16)), device.Allocate(new Shape(1 << 16)), device.Allocate(type, new Shape(1 << 16)));
        device.Write<ushort>(narrow, halves);
        device.Run(new Operations.Convert(wide, narrow));
        device.Run(new Operations.Convert(back, wide));
        var (floats, returned) = (device.Read<float>(wide), device.Read<ushort>(back));
        for (var i = 0; i < halves.Length; i++)
        {
            var expected = type == DType.Float16 ? (float)BitConverter.UInt16BitsToHalf(halves[i]) : BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
            if (float.IsNaN(expected)) Assert.True(float.IsNaN(floats[i]) && (returned[i] & 0x7FFF) > (type == DType.Float16 ? 0x7C00 : 0x7F80), $"{halves[i]:x4} is NaN");
            else Assert.True(BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(floats[i]) && returned[i] == halves[i], $"{halves[i]:x4}: {floats[i]}, {returned[i]:x4}");
        }
        foreach (var tensor in new[] { narrow, wide, back }) tensor.Storage.Dispose();
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Midpoints_go_to_even_and_their_neighbours_to_the_nearest(bool cuda, DType type)
    {
        using var device = Create(cuda);
        var values = new List<float> { 0, -0f, float.Epsilon, float.MaxValue, float.PositiveInfinity };
        for (var i = 0; i < 0x7F80; i += 7)
        {
            var (low, high) = type == DType.Float16
                ? ((float)BitConverter.UInt16BitsToHalf((ushort)i), (float)BitConverter.UInt16BitsToHalf((ushort)(i + 1)))
                : (BitConverter.UInt32BitsToSingle((uint)i << 16), BitConverter.UInt32BitsToSingle((uint)(i + 1) << 16));
            if (!float.IsFinite(high)) continue;
            var middle = (float)(((double)low + high) / 2);
            values.AddRange([middle, -middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle)]);
        }
        float[] x = [.. values];
        using var from = new GuardedTensor(device, new Shape(x.Length), x);
        using var to = new GuardedTensor(device, type, new Shape(x.Length));
        device.Run(new Operations.Convert(to.Tensor, from.Tensor));
        to.AssertWrittenInside("convert");
        Assert.Equal(Rounding.Bytes(type, x), BytesOf(device, to.Tensor));
    }

    private static byte[] BytesOf(Device device, Tensor tensor)
    {
        var bytes = new byte[tensor.Bytes];
        device.CopyToHost(bytes, tensor);
        return bytes;
    }

    private static Device Create(bool cuda)
    {
        if (!cuda) return new CpuDevice(new CpuOptions { Threads = 2 });
        EmulatedRuntime.Require();
        return new CudaDevice(new EmulatedRuntime(), new CudaOptions());
    }
}
