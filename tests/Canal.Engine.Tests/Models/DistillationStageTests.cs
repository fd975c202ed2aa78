using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>One stage with two new cell types against the reference, golden/distill; key maximum in batch scope as the fixture ran it.</summary>
public abstract class DistillationStageTests(TestDevice kind) : IDisposable
{
    private const int Cells = 6, Types = 7, Positions = 31;
    private const float Weight = 0.1f * 5 / 7;
    private static readonly EncoderPass Pass = new(Cells, KeyMaximumScope.Batch);
    private readonly Device device = TestDevices.Open(kind);

    public void Dispose()
    {
        device.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableFact]
    public void Losses_and_gradients_of_a_student_that_left_its_teacher_agree()
    {
        var golden = new GoldenPair("distill", "step_perturbed");
        using var teacher = NewModel();
        using var student = NewModel().Load(SharedFiles.Golden("distill", "student_perturbed"), all: false);
        student.Parameters.Train(TrainableSet.LastButOne);
        using var tape = new Tape(device);
        var (tokens, labels) = Batch(student, 0);
        var output = student.Forward(tape, tokens, Pass);
        var previous = Representation(teacher, tokens);
        golden.AssertClose("representation", device.Read<float>(output.Representation.Value), 4);
        golden.AssertClose("representation_old", device.Read<float>(previous), 4);
        golden.AssertClose("logits", device.Read<float>(output.Logits.Value), 4);

        var (losses, distillation) = (student.Values(new Shape(Cells), new float[Cells]), student.Values(new Shape(1), [0]));
        DistillationStep.Run(tape, output.Representation, previous, Weight, distillation);
        CrossEntropyStep.Run(tape, output.Logits, labels, 0.1f, 1f / Cells, losses);
        tape.Backward();
        Assert.Equal(golden.Double.Scalar("loss_representation") , device.Read<float>(distillation)[0] / golden.Double.Scalar("lambda_representation"), 1e-8);
        Assert.Equal(golden.Double.Scalar("loss_cls"), device.Read<float>(losses).Average(), 1e-6);
        AssertGradients(student, golden, "grad.", expected: 23);

        // The distillation term alone.
        tape.Clear();
        student.Parameters.ZeroGradients();
        output = student.Forward(tape, tokens, Pass);
        DistillationStep.Run(tape, output.Representation, previous, Weight, distillation);
        tape.Backward();
        AssertGradients(student, golden, "grad_distill_only.", expected: 21);
        tape.Clear();
        previous.Storage.Dispose();
    }

    [SkippableFact]
    public void Eight_steps_follow_the_reference()
    {
        var golden = new GoldenPair("distill", "trajectory");
        using var teacher = NewModel();
        using var student = NewModel();
        student.Parameters.Train(TrainableSet.LastButOne);
        using var adam = new Adam(device, student.Parameters, new AdamSettings());
        using var tape = new Tape(device);
        var (losses, distillation) = (student.Values(new Shape(Cells), new float[Cells]), student.Values(new Shape(1), [0]));
        var (lossGap, logitsGap) = (golden.Gap("loss_cls"), golden.Gap("logits"));
        for (var step = 0; step < 8; step++)
        {
            var (tokens, labels) = Batch(student, step);
            var previous = Representation(teacher, tokens);
            var output = student.Forward(tape, tokens, Pass);
            DistillationStep.Run(tape, output.Representation, previous, Weight, distillation);
            CrossEntropyStep.Run(tape, output.Logits, labels, 0.1f, 1f / Cells, losses);
            Closeness.Assert($"logits, step {step}", device.Read<float>(output.Logits.Value),
                golden.Double.Doubles("logits").AsSpan(step * Cells * Types, Cells * Types), (2 * logitsGap) + 5e-7);
            student.Parameters.ZeroGradients();
            tape.Backward();
            tape.Clear();
            Assert.Equal(golden.Double.Doubles("loss_cls")[step], device.Read<float>(losses).Average(), (2 * lossGap) + 2.5e-7);
            Assert.Equal(golden.Double.Doubles("loss_representation")[step] * Weight, device.Read<float>(distillation)[0], 1e-9);
            adam.Step(2e-4);
            previous.Storage.Dispose();
            if (step is 0 or 7) AssertParameters(student, golden, $"params_after_step{step + 1}.");
        }
    }

    // Where a gradient is nearly zero its sign is noise, and Adam's first steps move by the rate whatever its size: the reference's own
    // float32 run differs from float64 by up to that. So its gap bounds ours, elementwise over all tensors.
    private void AssertParameters(CellTypeModel student, GoldenPair golden, string prefix)
    {
        var gap = golden.Double.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Max(golden.Gap);
        foreach (var name in golden.Double.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            Closeness.Assert(name, student.Parameters.Read(name[prefix.Length..]), golden.Double.Doubles(name), (2 * gap) + 2.5e-7);
        }
    }

    private void AssertGradients(CellTypeModel student, GoldenPair golden, string prefix, int expected)
    {
        var relative = golden.RelativeGap(prefix);
        var names = golden.Double.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToArray();
        Assert.Equal(expected, names.Length);
        foreach (var name in names) golden.AssertCloseRelative(name, device.Read<float>(student.Parameters[name[prefix.Length..]].Gradient), relative);
    }

    private CellTypeModel NewModel() => new CellTypeModel(device, CellTypeModel.Tiny, Types).Load(SharedFiles.Golden("distill", "new_weights"));

    private static (Tensor Tokens, Tensor Labels) Batch(CellTypeModel model, int batch)
    {
        var inputs = SharedFiles.Golden("distill", "inputs");
        return (model.Tokens(inputs.Ints("tokens").AsSpan(batch * Cells * Positions, Cells * Positions)), model.Labels(inputs.Ints("labels")[(batch * Cells)..((batch + 1) * Cells)]));
    }

    private Tensor Representation(CellTypeModel teacher, Tensor tokens)
    {
        using var tape = Tape.ForInference(device);
        var output = teacher.Forward(tape, tokens, Pass);
        var copy = device.Allocate(output.Representation.Value.Shape);
        device.Copy(copy, output.Representation.Value);
        return copy;
    }
}

/// <summary>On the processor.</summary>
public sealed class CpuDistillationStageTests() : DistillationStageTests(TestDevice.Cpu);

/// <summary>On the CUDA device, emulated.</summary>
public sealed class EmulatedDistillationStageTests() : DistillationStageTests(TestDevice.Emulated);

/// <summary>On the CUDA device, on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverDistillationStageTests() : DistillationStageTests(TestDevice.Card);
