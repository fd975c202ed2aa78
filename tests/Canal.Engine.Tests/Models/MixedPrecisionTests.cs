using Canal.Engine.Autograd;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>Which values are of half precision (design.md, Precision), what that costs, and that the half copy of the parameters follows the masters.</summary>
public abstract class MixedPrecisionTests(TestDevice kind)
{
    private const int Cells = TrainingJob.Cells;
    private static readonly EncoderPass Pass = new(Cells);

    // Everything inside a block but the residual stream.
    private static readonly string[] Half = ["attn.norm", "attn.q", "attn.k", "attn.v", "attn.fast", "ff.norm", "ff.w1", "ff.gelu"];

    [SkippableTheory]
    [InlineData("fp32", DType.Float32, DType.Float32)]
    [InlineData("bf16", DType.BFloat16, DType.BFloat16)]
    [InlineData("f16", DType.Float16, DType.Float32)]
    public void Blocks_compute_in_half_precision_and_the_residual_stream_and_the_head_in_float32(string precision, DType frozen, DType training)
    {
        using var device = TestDevices.Cuda(kind, Precision(precision));
        using var job = new TrainingJob(device, TrainableSet.LastButOne);
        using var tape = new Tape(device);
        var traced = new TracedForward(job.Model, tape, job.Tokens, Pass);
        CrossEntropyStep.Run(tape, traced.Output.Logits, job.Labels, 0.1f, 1f / Cells, job.Losses);
        tape.Backward();
        foreach (var (name, variable) in traced.Activations)
        {
            var isHalf = Array.Exists(Half, end => name.EndsWith(end, StringComparison.Ordinal));
            // Of four blocks the first two are frozen.
            var expected = !isHalf ? DType.Float32 : name[5] is '0' or '1' ? frozen : training;
            Assert.True(expected == variable.Value.Type, $"{name} is {variable.Value.Type}");
            if (variable.HasGradient) Assert.True(expected == variable.Gradient.Type, $"the gradient of {name} is {variable.Gradient.Type}");
        }
        Assert.Contains(traced.Activations, pair => pair.Value.HasGradient && pair.Value.Gradient.Type == training);
    }

    [SkippableFact]
    public void The_half_copy_follows_every_change_of_the_masters()
    {
        using var device = TestDevices.Cuda(kind, CudaPrecision.Bf16);
        using var job = new TrainingJob(device, TrainableSet.LastButOne);
        var parameters = job.Model.Parameters;
        AssertCopied("drawn");
        parameters.Write("norm.weight", Sample.Normal(1, parameters["norm.weight"].Shape.Count, 0, 1));
        AssertCopied("written");
        job.Step();
        AssertCopied("trained");
        parameters.WriteTrainable(Sample.Normal(2, parameters.TrainableValues.Count, 0, 1));
        AssertCopied("restored");
        using var other = new TrainingJob(device, TrainableSet.None);
        other.Model.Parameters.CopyFrom(parameters);
        AssertCopied("copied");
        parameters = other.Model.Parameters;
        AssertCopied("copied to");

        void AssertCopied(string when)
        {
            foreach (var parameter in parameters.Parameters)
            {
                var expected = Array.ConvertAll(device.Read<float>(parameter.Value), Rounded);
                Assert.True(expected.AsSpan().SequenceEqual(device.Read<ushort>(parameter.For(DType.BFloat16))), $"{parameter.Name}, {when}");
            }
        }
    }

    // On its way through four blocks and back a value is rounded some 80 times, by at most 2^-9 each; the errors add like a random walk. A wrong operand, or a
    // gradient that goes nowhere, would change a parameter's gradient by a large part of it.
    [SkippableFact]
    public void Gradients_in_bf16_are_those_of_float32_up_to_its_roundoffs()
    {
        var allowed = Math.Sqrt(80) / 512;
        var (full, half) = (Gradients(CudaPrecision.Fp32), Gradients(CudaPrecision.Bf16));
        foreach (var (name, expected) in full)
        {
            var difference = Math.Sqrt(expected.Zip(half[name], (a, b) => Math.Pow(a - b, 2)).Sum()) / Math.Sqrt(expected.Sum(value => (double)value * value));
            Assert.True(difference <= allowed, $"{name}: {difference:p1} of the gradient, allowed {allowed:p1}");
        }
    }

    private Dictionary<string, float[]> Gradients(CudaPrecision precision)
    {
        using var device = TestDevices.Cuda(kind, precision);
        using var job = new TrainingJob(device, TrainableSet.All);
        using var tape = new Tape(device);
        job.Model.Step(tape, job.Tokens, job.Labels, Pass, job.Losses);
        return job.Model.Parameters.Parameters.Where(parameter => parameter.Trains).ToDictionary(parameter => parameter.Name, parameter => device.Read<float>(parameter.Gradient));
    }

    private static CudaPrecision Precision(string name) => CudaPrecision.All.Single(precision => precision.Name == name);

    // To nearest, ties to even; the values are finite.
    private static ushort Rounded(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}

/// <summary>Emulated.</summary>
public sealed class EmulatedMixedPrecisionTests() : MixedPrecisionTests(TestDevice.Emulated);

/// <summary>On a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverMixedPrecisionTests() : MixedPrecisionTests(TestDevice.Card);
