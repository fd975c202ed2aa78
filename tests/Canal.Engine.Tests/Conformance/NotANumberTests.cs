using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Conformance;

/// <summary>What is not a number shows where it belongs, on every device, and nowhere else: conformance itself takes no NaN.</summary>
public abstract class NotANumberTests(DeviceFamily devices)
{
    private const float NaN = float.NaN;
    private const float Infinity = float.PositiveInfinity;

    // Rows: clean; NaN in the first, a middle and the last place; all NaN; infinite; NaN without a label.
    private static readonly float[] Logits =
    [
        1, 2, 3, 4, 0,
        NaN, 2, 3, 4, 0,
        1, 5, NaN, 4, 0,
        1, 2, 3, 4, NaN,
        NaN, NaN, NaN, NaN, NaN,
        1, Infinity, 3, 4, 0,
        NaN, 2, 3, 4, 0,
    ];

    private static readonly int[] Labels = [1, 1, 1, 1, 1, 1, -1];

    [SkippableFact]
    public void A_row_with_a_label_has_no_loss_and_no_gradient_and_spoils_no_other()
    {
        devices.Require();
        using var run = new Run(devices);
        var (loss, gradient) = (run.Allocate(7), run.Allocate(7, 5));
        run.Device.Run(new CrossEntropyForward(loss, run.Logits, run.Labels, 0.1f));
        run.Device.Run(new CrossEntropyBackward(gradient, run.Logits, run.Labels, 0.1f, 1));
        var (losses, gradients) = (run.Device.Read<float>(loss), run.Device.Read<float>(gradient));
        Assert.Equal([false, true, true, true, true, true, false], losses.Select(float.IsNaN));
        Assert.Equal(0, losses[6]);
        Assert.True(losses[0] > 0);
        for (var row = 1; row < 6; row++) Assert.All(gradients[(row * 5)..((row + 1) * 5)], g => Assert.True(float.IsNaN(g)));
        Assert.All(gradients[..5], g => Assert.True(float.IsFinite(g)));
        Assert.All(gradients[30..], g => Assert.Equal(0, g));
    }

    [SkippableFact]
    public void A_prediction_ranks_it_last_and_gives_it_no_probability()
    {
        devices.Require();
        using var run = new Run(devices);
        var (types, probabilities, energy) = (run.Allocate(DType.Int32, 7, 3), run.Allocate(7, 3), run.Allocate(7));
        run.Device.Run(new Prediction(types, probabilities, energy, run.Logits, 0.8f));
        Assert.Equal([3, 2, 1, 3, 2, 1, 1, 3, 0, 3, 2, 1, 0, 1, 2, 1, 3, 2, 3, 2, 1], run.Device.Read<int>(types));
        Assert.Equal([false, true, true, true, true, true, true], run.Device.Read<float>(energy).Select(float.IsNaN));
        Assert.Equal(Enumerable.Range(0, 21).Select(i => i >= 3), run.Device.Read<float>(probabilities).Select(float.IsNaN));
    }

    [SkippableTheory]
    [InlineData(NaN, NaN, NaN)]
    [InlineData(Infinity, Infinity, 0)]
    [InlineData(-Infinity, Infinity, 0)]
    public void The_norm_tells_of_a_gradient_that_is_none(float bad, float norm, float scale)
    {
        devices.Require();
        using var run = new Run(devices);
        var (values, outputs) = (new float[40009], run.Allocate(2));
        values[33000] = bad;
        var gradients = run.Allocate(values.Length);
        run.Device.Write<float>(gradients, values);
        run.Device.Run(new GradientNorm(outputs.Slice(0, 1), outputs.Slice(1, 1), gradients, 1));
        Assert.Equal([norm, scale], run.Device.Read<float>(outputs));
    }

    private sealed class Run : IDisposable
    {
        private readonly List<Tensor> tensors = [];

        public Run(DeviceFamily devices)
        {
            Device = devices.Watched;
            (Logits, Labels) = (Allocate(7, 5), Allocate(DType.Int32, 7));
            Device.Write<float>(Logits, NotANumberTests.Logits);
            Device.Write<int>(Labels, NotANumberTests.Labels);
        }

        public Engine.Devices.Device Device { get; }

        public Tensor Logits { get; }

        public Tensor Labels { get; }

        public Tensor Allocate(params int[] sizes) => Allocate(DType.Float32, sizes);

        public Tensor Allocate(DType type, params int[] sizes)
        {
            tensors.Add(Device.Allocate(type, sizes.Length == 1 ? new Shape(sizes[0]) : new Shape(sizes[0], sizes[1])));
            return tensors[^1];
        }

        public void Dispose()
        {
            foreach (var tensor in tensors) tensor.Storage.Dispose();
        }
    }
}

/// <summary>On the processor.</summary>
public sealed class CpuNotANumberTests(CpuDevices devices) : NotANumberTests(devices), IClassFixture<CpuDevices>;

/// <summary>On the CUDA device on the emulator.</summary>
public sealed class EmulatedNotANumberTests(EmulatedDevices devices) : NotANumberTests(devices), IClassFixture<EmulatedDevices>;

/// <summary>On the CUDA device on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverNotANumberTests(DriverDevices devices) : NotANumberTests(devices), IClassFixture<DriverDevices>;
