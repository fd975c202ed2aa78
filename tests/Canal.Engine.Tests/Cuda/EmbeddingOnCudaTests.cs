using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda;

/// <summary>What a CUDA device does with tokens that the processor refuses, and its path of four floats at a time.</summary>
public sealed class EmbeddingOnCudaTests
{
    private const int Cells = 2;
    private const int Length = 37;

    [SkippableTheory]
    [InlineData(200)]
    [InlineData(4)]
    [InlineData(132)]
    public void Aligned_tables_give_the_bits_of_tables_that_are_not(int columns)
    {
        EmulatedRuntime.Require();
        using var device = new CudaDevice(new EmulatedRuntime(order: 4), new CudaOptions());
        var tokens = Sample.Bytes(1, Cells * Length, 7);
        Assert.Equal(Forward(device, tokens, columns, aligned: false), Forward(device, tokens, columns, aligned: true));
    }

    [SkippableTheory]
    [InlineData(4, true)]
    [InlineData(33, false)]
    public void A_token_beyond_the_table_makes_its_row_not_a_number_and_counts_in_no_gradient(int columns, bool aligned)
    {
        EmulatedRuntime.Require();
        using var device = new CudaDevice(new EmulatedRuntime(), new CudaOptions());
        var tokens = Sample.Bytes(1, Cells * Length, 7);
        tokens[5] = 7;
        tokens[^1] = 255;
        var x = Forward(device, tokens, columns, aligned);
        for (var n = 0; n < tokens.Length; n++) Assert.All(x[(n * columns)..((n + 1) * columns)], v => Assert.Equal(tokens[n] >= 7, float.IsNaN(v)));

        using var dx = new GuardedTensor(device, new Shape(tokens.Length, columns), [.. Enumerable.Repeat(1f, tokens.Length * columns)]);
        using var table = new GuardedTensor(device, new Shape(7, columns), new float[7 * columns]);
        device.Run(new EmbeddingBackward(table.Tensor, Tensor.None, dx.Tensor, Tokens(device, tokens)));
        table.AssertWrittenInside("dbin_table");
        Assert.Equal((tokens.Length - 2) * columns, table.Values.Sum());
    }

    [SkippableFact]
    public void Offsets_and_positions_beyond_the_end_write_nothing_outside()
    {
        EmulatedRuntime.Require();
        using var device = new CudaDevice(new EmulatedRuntime(), new CudaOptions());
        var room = device.Allocate(DType.UInt8, new Shape(64));
        device.Write<byte>(room, [.. Enumerable.Repeat((byte)9, 64)]);
        var tokens = new Tensor(room.Storage, 16, DType.UInt8, new Shape(2, 10));
        var (offsets, positions, bins) = (device.Allocate(DType.Int32, new Shape(3)), device.Allocate(DType.UInt16, new Shape(4)), device.Allocate(DType.UInt8, new Shape(4)));
        device.Write<int>(offsets, [-5, 3, 1000]);
        device.Write<ushort>(positions, [2, 9, 10, 60000]);
        device.Write<byte>(bins, [1, 2, 3, 4]);
        device.Run(new ExpandTokens(tokens, offsets, positions, bins));
        byte[] expected = [.. Enumerable.Repeat((byte)9, 16), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, .. new byte[10], .. Enumerable.Repeat((byte)9, 28)];
        Assert.Equal(expected, device.Read<byte>(room));
    }

    private static float[] Forward(CudaDevice device, byte[] tokens, int columns, bool aligned)
    {
        using var x = new GuardedTensor(device, new Shape(Cells * Length, columns), aligned);
        using var bins = new GuardedTensor(device, new Shape(7, columns), Sample.Normal(2, 7 * columns), aligned);
        using var genes = new GuardedTensor(device, new Shape(Length, columns), Sample.Normal(3, Length * columns), aligned);
        device.Run(new EmbeddingForward(x.Tensor, Tokens(device, tokens), bins.Tensor, genes.Tensor));
        x.AssertWrittenInside("x");
        return x.Values;
    }

    private static Tensor Tokens(CudaDevice device, byte[] tokens)
    {
        var tensor = device.Allocate(DType.UInt8, new Shape(Cells, Length));
        device.Write<byte>(tensor, tokens);
        return tensor;
    }
}
