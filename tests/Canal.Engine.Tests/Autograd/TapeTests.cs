using Canal.Engine.Autograd;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Autograd;

public sealed class TapeTests : IDisposable
{
    private readonly CpuDevice device = new(new CpuOptions { Threads = 1 });

    public void Dispose() => device.Dispose();

    [Fact]
    public void The_first_writer_writes_and_later_ones_add()
    {
        using var parameters = Weights([1, 2, 3, 4], [10, 20]);
        using var tape = new Tape(device);
        using var x = Rows([1, 1, 2, -1]);
        var input = tape.Borrow(x.Tensor, needsGradient: true);
        // y = x W^T + b + x and z = x W^T: x feeds two products and a residual.
        var y = LinearStep.Run(tape, input, parameters["w"], parameters["b"], residual: input);
        var z = LinearStep.Run(tape, input, parameters["w"], null);
        var sum = LinearStep.Run(tape, y, parameters["identity"], parameters["zero"], residual: z);
        Assert.Equal([3 + 10 + 1 + 3, 7 + 20 + 1 + 7, 0 + 10 + 2 + 0, 2 + 20 - 1 + 2], device.Read<float>(sum.Value));
        Seed(tape, sum);
        tape.Backward();
        // dx = 2 · ones W + ones = 2 · [4, 6] + 1.
        Assert.Equal([9, 13, 9, 13], device.Read<float>(input.Gradient));
    }

    [Fact]
    public void A_frozen_input_is_not_recorded_and_gets_no_gradient()
    {
        using var parameters = Weights([1, 2, 3, 4], [10, 20]);
        using var tape = new Tape(device);
        using var x = Rows([1, 1, 2, -1]);
        var input = tape.Borrow(x.Tensor);
        Assert.False(LinearStep.Run(tape, input, parameters["w"], parameters["b"]).NeedsGradient);
        Assert.Equal(0, tape.RecordedSteps);
        parameters.Train(TrainableSet.Head);
        var trained = LinearStep.Run(tape, input, parameters["w"], parameters["b"]);
        Assert.Equal(1, tape.RecordedSteps);
        Seed(tape, trained);
        tape.Backward();
        Assert.False(input.HasGradient);
        Assert.Equal([3, 0, 3, 0], device.Read<float>(parameters["w"].Gradient));
        Assert.Equal([2, 2], device.Read<float>(parameters["b"].Gradient));
    }

    [Fact]
    public void A_result_that_no_loss_uses_is_skipped()
    {
        using var parameters = Weights([1, 2, 3, 4], [10, 20]);
        parameters.Train(TrainableSet.Head);
        using var tape = new Tape(device);
        using var x = Rows([1, 1, 2, -1]);
        LinearStep.Run(tape, tape.Borrow(x.Tensor), parameters["w"], parameters["b"]);
        tape.Backward();
        Assert.All(device.Read<float>(parameters["w"].Gradient), value => Assert.Equal(0f, value));
    }

    [Fact]
    public void A_value_is_freed_when_its_last_holder_lets_go()
    {
        using var parameters = Weights([1, 2, 3, 4], [10, 20]);
        parameters.Train(TrainableSet.Head);
        using var tape = new Tape(device);
        using var x = Rows([1, 1, 2, -1]);
        var y = LinearStep.Run(tape, tape.Borrow(x.Tensor), parameters["w"], parameters["b"]);
        var used = device.Memory.Used;
        var z = LinearStep.Run(tape, y, parameters["w"], null);
        var withZ = device.Memory.Used;
        y.Release();
        Assert.Equal(withZ, device.Memory.Used);
        z.Release();
        Assert.Equal(used, device.Memory.Used);
        Assert.Throws<InvalidOperationException>(z.Release);
        Assert.Throws<InvalidOperationException>(() => y.Gradient);
    }

    [Fact]
    public void A_gradient_to_look_at_is_copied_where_it_would_have_changed_hands()
    {
        using var parameters = Weights([1, 2, 3, 4], [10, 20]);
        using var tape = new Tape(device);
        using var x = Rows([1, -1, 2, -3]);
        var input = tape.Borrow(x.Tensor, needsGradient: true);
        var rectified = ReluStep.Run(tape, input).KeepGradient();
        Seed(tape, rectified);
        tape.Backward();
        Assert.Equal([1, 1, 1, 1], device.Read<float>(rectified.Gradient));
        Assert.Equal([1, 0, 1, 0], device.Read<float>(input.Gradient));
    }

    // A gradient of ones at a result: cross-entropy would need logits, this is the shortest loss there is.
    private static void Seed(Tape tape, Variable result)
    {
        var step = tape.Rent<SumStep>();
        step.Summed = result.Hold();
        tape.Record(step, null);
    }

    private Scratch Rows(float[] values)
    {
        var tensor = device.Allocate(new Shape(2, 2));
        device.Write<float>(tensor, values);
        return new Scratch(tensor);
    }

    private ParameterSet Weights(float[] w, float[] b)
    {
        var parameters = new ParameterSet(device,
        [
            new("w", new Shape(2, 2), ParameterGroup.Head, Initialisation.Zero),
            new("b", new Shape(2), ParameterGroup.Head, Initialisation.Zero),
            new("identity", new Shape(2, 2), ParameterGroup.Projections, Initialisation.Zero),
            new("zero", new Shape(2), ParameterGroup.Projections, Initialisation.Zero),
        ]);
        parameters.Write("w", w);
        parameters.Write("b", b);
        parameters.Write("identity", [1, 0, 0, 1]);
        return parameters;
    }

    private sealed record Scratch(Tensor Tensor) : IDisposable
    {
        public void Dispose() => Tensor.Storage.Dispose();
    }

    private sealed class SumStep : Step
    {
        public Variable Summed { get; set; } = null!;

        public override void Backward(Tape tape)
        {
            var gradient = Summed.BeginContribution();
            tape.Device.Run(new Fill(gradient, 1f));
            Summed.CompleteContribution(gradient);
        }

        public override void Release() => Summed.Release();
    }
}
