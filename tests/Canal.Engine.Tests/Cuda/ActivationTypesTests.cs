using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda;

/// <summary>Which element types the elementwise and row operations take, and that they launch nothing for nothing.</summary>
public sealed class ActivationTypesTests
{
    private static readonly Shape Matrix = new(3, 8), Row = new(8);

    [Fact]
    public void The_processor_computes_with_float32_alone()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        using var half = device.Allocate(DType.BFloat16, Matrix).Storage;
        var x = new Tensor(half, 0, DType.BFloat16, Matrix);
        Assert.Equal("gelu_forward: Y is BFloat16, not Float32.", Assert.Throws<ArgumentException>(() => device.Run(new GeluForward(x, x))).Message);
        Assert.Equal("add: Y is BFloat16, not Float32.", Assert.Throws<ArgumentException>(() => device.Run(new Add(x, x))).Message);
    }

    [SkippableFact]
    public void Activations_of_one_operation_are_of_one_type_and_the_residual_stream_is_float32()
    {
        EmulatedRuntime.Require();
        using var device = new CudaDevice(new EmulatedRuntime(), new CudaOptions());
        using var single = device.Allocate(Matrix).Storage;
        using var narrow = device.Allocate(DType.Float16, Matrix).Storage;
        var (x, h) = (new Tensor(single, 0, DType.Float32, Matrix), new Tensor(narrow, 0, DType.Float16, Matrix));
        var (row, rows) = (x.Slice(0, 1).Reshape(Row), x.Slice(0, 1).Reshape(Row).Slice(0, 3));
        Assert.Equal("gelu_forward: Y is Float32, not Float16.", Assert.Throws<ArgumentException>(() => device.Run(new GeluForward(x, h))).Message);
        Assert.Equal("add: X is Float16, not Float32.", Assert.Throws<ArgumentException>(() => device.Run(new Add(x, h))).Message);
        Assert.Equal("relu_backward: DX is Float32, not Float16.", Assert.Throws<ArgumentException>(() => device.Run(new ReluBackward(x, h, h))).Message);
        Assert.Equal("broadcast_bias: Residual is Float16, not Float32.", Assert.Throws<ArgumentException>(() => device.Run(new BroadcastBias(h, row, h))).Message);
        Assert.Equal("layer_norm_forward: X is Float16, not Float32.",
            Assert.Throws<ArgumentException>(() => device.Run(new LayerNormForward(h, rows, rows, h, row, row, 1e-5f))).Message);
        Assert.Equal("convert: X is Int32, not Float32.",
            Assert.Throws<ArgumentException>(() => device.Run(new Operations.Convert(h, x with { Type = DType.Int32 }))).Message);
    }

    [SkippableFact]
    public void Nothing_is_launched_for_tensors_without_elements()
    {
        EmulatedRuntime.Require();
        var runtime = new EmulatedRuntime();
        using var device = new CudaDevice(runtime, new CudaOptions());
        using var memory = device.Allocate(Row).Storage;
        var (row, none, empty, one) = (new Tensor(memory, 0, DType.Float32, Row), new Tensor(memory, 0, DType.Float32, new Shape(0)),
            new Tensor(memory, 0, DType.Float32, new Shape(0, 8)), new Tensor(memory, 0, DType.Float32, new Shape(1)));
        device.Run(new Fill(empty, 1));
        device.Run(new Add(empty, empty));
        device.Run(new Operations.Convert(empty, empty));
        device.Run(new BroadcastBias(empty, row, empty));
        device.Run(new ColumnSum(row, empty));
        device.Run(new GeluForward(empty, empty, row));
        device.Run(new GeluBackward(empty, empty, empty, Bias: row));
        device.Run(new ReluForward(empty, empty));
        device.Run(new ReluBackward(empty, empty, empty));
        device.Run(new LayerNormForward(empty, none, none, empty, row, row, 1e-5f));
        device.Run(new LayerNormBackward(empty, row, row, empty, empty, none, none, row, Accumulate: false));
        device.Run(new HeadFilterForward(none, empty, row, one));
        device.Run(new HeadFilterBackward(empty, row, one, none, none, empty, row));
        Assert.Equal(0, runtime.Launches);
    }
}
