using Canal.Engine.Autograd;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>Gradients of the whole training loss, in cell scope and at a geometry no fixture has, against central differences in float64.</summary>
public sealed class CentralDifferencesTests : IDisposable
{
    private const int Cells = 3, Types = 4, ElementsATensor = 5;
    private const float Smoothing = 0.1f, DistillationWeight = 0.7f;
    private const double Difference = 1e-6;
    private static readonly EncoderGeometry Geometry = new() { Positions = 7, Width = 12, Blocks = 3, Heads = 2, HeadWidth = 8, Features = 11 };
    private readonly CpuDevice device = new(new CpuOptions());

    public void Dispose() => device.Dispose();

    [Fact]
    public void Every_parameter_has_the_gradient_of_the_loss()
    {
        using var model = new CellTypeModel(device, Geometry, Types);
        model.Parameters.Initialise(7);
        // Off their start, so that gains of 1 and offsets of 0 hide nothing.
        foreach (var parameter in model.Parameters.Parameters.Where(parameter => parameter.Specification.Start.Kind == InitialisationKind.Constant))
        {
            model.Parameters.Write(parameter.Name, [.. model.Parameters.Read(parameter.Name).Zip(Sample.Normal(4, parameter.Shape.Count, deviation: 0.3), (a, b) => a + b)]);
        }
        model.Parameters.Train(TrainableSet.All);
        var (tokens, labels) = (Sample.Integers(11, Cells * Geometry.Positions, 0, 7), Sample.Integers(12, Cells, 0, Types));
        var previous = Sample.Uniform(13, Cells * CellTypeHead.RepresentationWidth, 0, 0.5);
        Backward(model, tokens, labels, previous);

        var reference = new ReferenceModel(model);
        double[] wide = [.. previous.Select(value => (double)value)];
        foreach (var parameter in model.Parameters.Parameters.Where(parameter => parameter.Trains))
        {
            var gradient = device.Read<float>(parameter.Gradient);
            var scale = gradient.Max(Math.Abs);
            var values = reference[parameter.Name];
            foreach (var at in Sample.Integers(14, ElementsATensor, 0, values.Length).Append(Array.FindIndex(gradient, value => Math.Abs(value) == scale)))
            {
                var kept = values[at];
                values[at] = kept + Difference;
                var above = reference.Loss(tokens, labels, Smoothing, wide, DistillationWeight);
                values[at] = kept - Difference;
                var below = reference.Loss(tokens, labels, Smoothing, wide, DistillationWeight);
                values[at] = kept;
                // A plain float32 backward pass is 1.6e-6 off, relative to a tensor's largest gradient (golden/performer_tiny): twice that, and
                // the roundoff of a loss of order 1 over the difference, 1e-16 / 1e-6.
                Closeness.Assert($"{parameter.Name}[{at}]", [gradient[at]], [(above - below) / (2 * Difference)], (2 * 1.7e-6 * scale) + 1e-9);
            }
        }
    }

    private void Backward(CellTypeModel model, int[] tokens, int[] labels, float[] previous)
    {
        using var tape = new Tape(device);
        var output = model.Forward(tape, model.Tokens(tokens), new EncoderPass(Cells));
        DistillationStep.Run(tape, output.Representation, model.Values(output.Representation.Value.Shape, previous), DistillationWeight, model.Values(new Shape(1), [0]));
        CrossEntropyStep.Run(tape, output.Logits, model.Labels(labels), Smoothing, 1f / Cells, model.Values(new Shape(Cells), new float[Cells]));
        tape.Backward();
    }
}
