using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Engine.Tests.Optimizers;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda;

/// <summary>What only a CUDA device does with Adam: replay a captured step, keep a half precision copy.</summary>
public sealed class AdamOnCudaTests
{
    private const int Count = 1031;

    [SkippableFact]
    public void A_captured_update_replayed_at_changing_rates_gives_the_bits_of_plain_steps()
    {
        EmulatedRuntime.Require();
        using var device = new CudaDevice(new EmulatedRuntime(), new CudaOptions());
        using var plain = Parameters(device);
        using var replayed = Parameters(device);
        using var adam = new Adam(device, plain, new AdamSettings());
        using var captured = new Adam(device, replayed, new AdamSettings());
        using var clipping = new GradientClipping(device, 1);
        clipping.Measure(replayed);
        nint graph = 0;
        for (var step = 0; step < 6; step++)
        {
            var (rate, gradients) = (1e-3 / (1 + step), Sample.Normal(step, Count));
            device.Write<float>(plain["a"].Gradient, gradients);
            device.Write<float>(replayed["a"].Gradient, gradients);
            adam.Step(rate, clipping.Measure(plain));
            captured.Prepare(rate);
            if (step == 0)
            {
                device.Runtime.BeginCapture();
                captured.Update(clipping.Measure(replayed));
                graph = device.Runtime.EndCapture();
            }
            device.Runtime.Replay(graph);
            Assert.Equal(plain.Read("a"), replayed.Read("a"));
        }
        Assert.Equal(adam.Steps, captured.Steps);
        Assert.NotEqual(Sample.Normal(99, Count), plain.Read("a"));
    }

    [SkippableTheory]
    [InlineData(DType.Float16)]
    [InlineData(DType.BFloat16)]
    public void The_half_copy_is_the_new_master_rounded_to_nearest_even(DType type)
    {
        EmulatedRuntime.Require();
        using var device = new CudaDevice(new EmulatedRuntime(order: 3), new CudaOptions());
        var (with, without) = (Update(device, type), Update(device, null));
        Assert.Equal(without.Parameters, with.Parameters);
        for (var i = 0; i < Count; i++)
        {
            var expected = type == DType.Float16 ? BitConverter.HalfToUInt16Bits((Half)with.Parameters[i]) : ToBFloat16(with.Parameters[i]);
            Assert.True(expected == with.Copy[i], $"element {i}: {with.Parameters[i]} was rounded to {with.Copy[i]:x4}, not {expected:x4}.");
        }
    }

    [Fact]
    public void The_processor_refuses_a_half_copy()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var t = device.Allocate(new Shape(2));
        var copy = device.Allocate(DType.Float16, new Shape(2));
        Assert.Throws<ArgumentException>(() => device.Run(new AdamUpdate(t, t, t, t, Tensor.None, Tensor.None, t, copy, 0.9, 0.999, 1e-8)));
    }

    [Fact]
    public void A_step_must_be_prepared()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        using var parameters = Parameters(device);
        using var adam = new Adam(device, parameters, new AdamSettings());
        Assert.Throws<InvalidOperationException>(() => adam.Update());
    }

    private static ParameterSet Parameters(Engine.Devices.Device device)
    {
        var parameters = new ParameterSet(device, [AdamTests.Specification("a", Count, ParameterGroup.Head)]);
        parameters.Write("a", Sample.Normal(99, Count));
        parameters.Train(TrainableSet.Head);
        return parameters;
    }

    // Not aligned to more than an element, and between canaries that a stray half would change.
    private static (float[] Parameters, ushort[] Copy) Update(CudaDevice device, DType? type)
    {
        using var p = new GuardedTensor(device, new Shape(Count), Sample.Normal(1, Count));
        using var g = new GuardedTensor(device, new Shape(Count), Sample.Normal(2, Count));
        using var m = new GuardedTensor(device, new Shape(Count), Sample.Normal(3, Count));
        using var v = new GuardedTensor(device, new Shape(Count), Sample.Uniform(4, Count, 0, 1));
        var coefficients = new float[2];
        AdamUpdate.StepCoefficients(coefficients, 3, 0.1, 0.9, 0.999);
        using var c = new GuardedTensor(device, new Shape(2), coefficients);
        var copy = device.Allocate(type ?? DType.Float16, new Shape(Count + 4));
        var canaries = new ushort[Count + 4];
        Array.Fill(canaries, (ushort)0x7E55);
        device.Write<ushort>(copy, canaries);
        device.Run(new AdamUpdate(p.Tensor, g.Tensor, m.Tensor, v.Tensor, Tensor.None, Tensor.None, c.Tensor, type is null ? Tensor.None : copy.Slice(1, Count), 0.9, 0.999, 1e-8));
        var halves = device.Read<ushort>(copy);
        Assert.All((int[])[0, Count + 1, Count + 2, Count + 3], i => Assert.Equal(0x7E55, halves[i]));
        copy.Storage.Dispose();
        foreach (var tensor in (GuardedTensor[])[p, m, v]) tensor.AssertWrittenInside("adam with a half copy");
        return (p.Values, halves[1..(Count + 1)]);
    }

    // By arithmetic in float64: 8 bits of significand, ties to even.
    private static ushort ToBFloat16(float value)
    {
        var unit = Math.ScaleB(1, Math.ILogB(value) - 7);
        var rounded = (float)(Math.Round(value / unit, MidpointRounding.ToEven) * unit);
        return (ushort)(BitConverter.SingleToUInt32Bits(rounded) >> 16);
    }
}
