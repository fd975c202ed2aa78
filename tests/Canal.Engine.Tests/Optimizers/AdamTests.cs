using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Optimizers;

public sealed class AdamTests : IDisposable
{
    private readonly CpuDevice device = new(new CpuOptions());

    public void Dispose() => device.Dispose();

    [SkippableTheory]
    [InlineData("adam_amsgrad_lr2e-4", true, false)]
    [InlineData("adam_plain_lr1e-4", false, false)]
    [InlineData("adam_amsgrad_scheduled", true, false)]
    [InlineData("adam_amsgrad_lr2e-4", true, true)]
    [InlineData("adam_plain_lr1e-4", false, true)]
    [InlineData("adam_amsgrad_scheduled", true, true)]
    public void Twenty_five_steps_follow_the_reference(string fixture, bool amsGrad, bool emulated)
    {
        if (emulated) EmulatedRuntime.Require();
        using Device device = emulated ? new CudaDevice(new EmulatedRuntime(), new CudaOptions()) : new CpuDevice(new CpuOptions());
        var (single, reference) = (SharedFiles.Golden("optim", fixture + "_f32"), SharedFiles.Golden("optim", fixture + "_f64"));
        using var parameters = Load(device);
        using var adam = new Adam(device, parameters, new AdamSettings(amsGrad));
        var rates = reference.Doubles("lr");
        for (var step = 0; step < 25; step++)
        {
            SetGradients(device, parameters, step);
            adam.Step(rates[step]);
            foreach (var name in (string[])["a", "b"])
            {
                var expected = Row(reference, name, step);
                var gap = Row(single, name, step).Zip(expected, (x, y) => Math.Abs(x - y)).Max();
                // Two roundoffs of a parameter of order 1.
                Closeness.Assert($"{name} after step {step + 1}", parameters.Read(name), expected, (2 * gap) + (2.4e-7 * Closeness.Scale(expected)));
            }
        }
        Assert.Equal(25, adam.Steps);
    }

    [SkippableFact]
    public void A_restored_optimiser_goes_on_with_the_same_bits()
    {
        using var parameters = Load(device);
        using var adam = new Adam(device, parameters, new AdamSettings());
        using var other = Load(device);
        using var resumed = new Adam(device, other, new AdamSettings());
        for (var step = 0; step < 10; step++)
        {
            SetGradients(device, parameters, step);
            adam.Step(2e-4);
        }
        other.CopyFrom(parameters);
        resumed.Restore(adam.Capture());
        for (var step = 10; step < 20; step++)
        {
            SetGradients(device, parameters, step);
            SetGradients(device, other, step);
            adam.Step(2e-4);
            resumed.Step(2e-4);
        }
        Assert.Equal(parameters.Read("a"), other.Read("a"));
        Assert.Equal(parameters.Read("b"), other.Read("b"));
    }

    [Fact]
    public void A_state_of_other_parameters_is_refused()
    {
        using var parameters = new ParameterSet(device, [Specification("a", 3, ParameterGroup.Head), Specification("b", 50, ParameterGroup.LastBlock)]);
        parameters.Train(TrainableSet.LastTwo);
        using var adam = new Adam(device, parameters, new AdamSettings());
        var state = adam.Capture();
        parameters.Train(TrainableSet.Head);
        using var smaller = new Adam(device, parameters, new AdamSettings());
        Assert.Throws<ArgumentException>(() => smaller.Restore(state));
        using var plain = new Adam(device, parameters, new AdamSettings(AmsGrad: false));
        Assert.Throws<ArgumentException>(() => plain.Restore(smaller.Capture()));
    }

    internal static ParameterSpecification Specification(string name, int size, ParameterGroup group) =>
        new(name, new Shape(size), group, Initialisation.One);

    private static ParameterSet Load(Device device)
    {
        var inputs = SharedFiles.Golden("optim", "inputs");
        var parameters = new ParameterSet(device,
        [
            new("a", new Shape(3, 4), ParameterGroup.Head, Initialisation.Zero),
            new("b", new Shape(5), ParameterGroup.LastButOneBlock, Initialisation.Zero),
        ]);
        parameters.Write("a", inputs.Floats("param.a"));
        parameters.Write("b", inputs.Floats("param.b"));
        parameters.Train(TrainableSet.LastButOne);
        return parameters;
    }

    private static void SetGradients(Device device, ParameterSet parameters, int step)
    {
        var inputs = SharedFiles.Golden("optim", "inputs");
        foreach (var name in (string[])["a", "b"])
        {
            device.Write<float>(parameters[name].Gradient, [.. Row(inputs, "grads.", name, step).Select(value => (float)value)]);
        }
    }

    private static double[] Row(GoldenTensors tensors, string name, int step) => Row(tensors, "trajectory.", name, step);

    private static double[] Row(GoldenTensors tensors, string prefix, string name, int step)
    {
        var all = tensors.Doubles(prefix + name);
        return all[(step * all.Length / 25)..((step + 1) * all.Length / 25)];
    }
}
