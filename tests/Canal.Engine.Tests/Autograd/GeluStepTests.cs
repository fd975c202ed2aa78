using Canal.Engine.Autograd;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;
using Canal.Testing.Reference;

namespace Canal.Engine.Tests.Autograd;

public sealed class GeluStepTests
{
    private const int Rows = 5, Columns = 33;
    private static readonly float[] X = Sample.Normal(1, Rows * Columns, -1), B = Sample.Normal(2, Columns, 1);

    // The second time x has another consumer, whose gradient comes first and must not reach the bias.
    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    public void The_bias_gets_the_column_sums_of_its_own_gradient(bool usedTwice, bool trains)
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        using var parameters = new ParameterSet(device, [new("b", new Shape(Columns), ParameterGroup.Head, Initialisation.Zero)]);
        parameters.Write("b", B);
        if (trains) parameters.Train(TrainableSet.Head);
        using var tape = new Tape(device);
        using var x = new GuardedTensor(device, new Shape(Rows, Columns), X);
        var input = tape.Borrow(x.Tensor, needsGradient: true);
        var y = GeluStep.Run(tape, input, parameters["b"]);
        Seed(tape, y);
        if (usedTwice) Seed(tape, input);
        tape.Backward();

        double[] z = [.. X.Select((v, i) => (double)v + B[i % Columns])];
        var expected = GeluReference.Backward(Enumerable.Repeat(1.0, z.Length).ToArray(), z);
        const double rounding = 1e-6;
        Closeness.Assert("y", device.Read<float>(y.Value), GeluReference.Forward(z), 4 * rounding);
        if (trains) Closeness.Assert("db", device.Read<float>(parameters["b"].Gradient), RowReference.ColumnSum(expected, Columns), Rows * rounding);
        Closeness.Assert("dx", device.Read<float>(input.Gradient), Array.ConvertAll(expected, v => v + (usedTwice ? 1 : 0)), 2 * rounding);
    }

    private static void Seed(Tape tape, Variable result)
    {
        var step = tape.Rent<OnesStep>();
        step.Summed = result.Hold();
        tape.Record(step, null);
    }

    private sealed class OnesStep : Step
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
