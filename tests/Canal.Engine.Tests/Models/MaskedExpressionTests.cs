using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>A pre-training step against the reference, golden/pretrain; key maximum in batch scope as the fixture ran it.</summary>
public abstract class MaskedExpressionTests(TestDevice kind) : IDisposable
{
    private const int Cells = 4, Positions = 31, Mask = 6, Accumulation = 60;
    private readonly Device device = TestDevices.Open(kind);

    public void Dispose()
    {
        device.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableFact]
    public void Logits_loss_gradients_and_clipping_agree()
    {
        var golden = new GoldenPair("pretrain", "mlm");
        var masking = SharedFiles.Golden("pretrain", "masking");
        var geometry = CellTypeModel.Tiny;
        using var parameters = new ParameterSet(device, [.. PerformerEncoder.Specify(geometry), .. MaskedExpressionHead.Specify(geometry)]);
        var weights = SharedFiles.Golden("pretrain", "weights");
        foreach (var parameter in parameters.Parameters) parameters.Write(parameter.Name, weights.Floats(parameter.Name));
        parameters.Train(TrainableSet.AllButGeneEmbedding);
        var encoder = new PerformerEncoder(parameters, geometry);
        var head = new MaskedExpressionHead(parameters);

        var tokens = device.Allocate(DType.UInt8, new Shape(Cells, Positions));
        device.Write<byte>(tokens, [.. masking.Ints("small.masked_tokens").Select(token => (byte)token)]);
        // Positions that were not chosen carry the mask token as their label; ours are left out by a label below 0.
        int[] chosen = [.. masking.Ints("small.labels").Select(label => label == Mask ? -1 : label)];
        var labels = device.Allocate(DType.Int32, new Shape(Cells * Positions));
        device.Write<int>(labels, chosen);
        var losses = device.Allocate(new Shape(Cells * Positions));
        var count = chosen.Count(label => label >= 0);

        using var tape = new Tape(device);
        var x = encoder.Embed(tape, tokens);
        var y = encoder.Forward(tape, x, new EncoderPass(Cells, KeyMaximumScope.Batch));
        var logits = head.Forward(tape, y);
        CrossEntropyStep.Run(tape, logits, labels, 0f, 1f / (count * Accumulation), losses);
        var largest = Closeness.Scale(golden.Double.Doubles("final_norm"));
        golden.AssertClose("final_norm", device.Read<float>(y.Value), largest);
        golden.AssertClose("logits", device.Read<float>(logits.Value), largest);
        Assert.Equal(golden.Double.Scalar("loss"), device.Read<float>(losses).Sum(value => (double)value) / count, 1e-6);
        Assert.Equal(masking.Shape("small.labels"), golden.Double.Shape("predicted"));
        Assert.Equal(golden.Double.Ints("predicted"), Predicted(device.Read<float>(logits.Value)));

        tape.Backward();
        var relative = golden.RelativeGap("grad.");
        foreach (var parameter in parameters.Parameters)
        {
            Assert.Equal(golden.Double.Has("grad." + parameter.Name), parameter.Trains);
            if (parameter.Trains) golden.AssertCloseRelative("grad." + parameter.Name, device.Read<float>(parameter.Gradient), relative);
        }

        using var clipping = new GradientClipping(device, 100f);
        Assert.Equal(1f, device.Read<float>(clipping.Measure(parameters))[0]);
        Assert.Equal(golden.Double.Scalar("total_grad_norm"), device.Read<float>(clipping.Norm)[0], 2 * relative * golden.Double.Scalar("total_grad_norm"));
        using var tight = new GradientClipping(device, 0.01f);
        Assert.Equal(0.01 / (golden.Double.Scalar("total_grad_norm") + 1e-6), device.Read<float>(tight.Measure(parameters))[0], 1e-6);
        foreach (var tensor in (Tensor[])[tokens, labels, losses]) tensor.Storage.Dispose();
    }

    // The most probable of the expression bins 1..5, as the reference counts a prediction.
    private static int[] Predicted(float[] logits)
    {
        var predicted = new int[logits.Length / 7];
        for (var row = 0; row < predicted.Length; row++)
        {
            predicted[row] = Enumerable.Range(1, 5).MaxBy(token => logits[(row * 7) + token]);
        }
        return predicted;
    }
}

/// <summary>On the processor.</summary>
public sealed class CpuMaskedExpressionTests() : MaskedExpressionTests(TestDevice.Cpu);

/// <summary>On the CUDA device, emulated.</summary>
public sealed class EmulatedMaskedExpressionTests() : MaskedExpressionTests(TestDevice.Emulated);

/// <summary>On the CUDA device, on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverMaskedExpressionTests() : MaskedExpressionTests(TestDevice.Card);
