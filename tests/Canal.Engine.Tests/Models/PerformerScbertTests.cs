using System.Text.Json;
using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Optimizers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>The real geometry (width 200, 6 blocks, 10 heads of 64, 266 features) against the reference, golden/performer_scbert.</summary>
public abstract class PerformerScbertTests(TestDevice kind) : IDisposable
{
    private const int Cells = 2;
    private static readonly EncoderGeometry Geometry = new() { Positions = 129, Width = 200, Blocks = 6, Heads = 10, HeadWidth = 64, Features = 266 };
    private readonly Device device = TestDevices.Open(kind);

    public void Dispose()
    {
        device.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableFact]
    public void Outputs_and_gradients_agree()
    {
        using var model = Load(out var tokens, out var labels);
        model.Parameters.Train(TrainableSet.All);
        var golden = new GoldenPair("performer_scbert", "outputs");
        using var tape = new Tape(device);
        var traced = new TracedForward(model, tape, tokens, new EncoderPass(Cells, KeyMaximumScope.Batch));
        var largest = Closeness.Scale(golden.Double.Doubles("final_norm"));
        foreach (var name in (string[])["final_norm", "manifold", "representation", "logits"])
        {
            golden.AssertClose(name, device.Read<float>(traced.Activations[name].Value), largest);
        }
        foreach (var name in traced.Activations.Keys.Where(name => golden.Double.Has(name + ".mean_std") && !name.EndsWith("fast", StringComparison.Ordinal)))
        {
            var values = device.Read<float>(traced.Activations[name].Value);
            // The gap of sixteen values is luck: that of the same activation in all blocks.
            var kind = name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];
            var gap = golden.Double.Names.Where(n => n.EndsWith(kind + ".first16", StringComparison.Ordinal) || n.EndsWith(kind + ".cell1_last16", StringComparison.Ordinal)).Max(golden.Gap);
            golden.AssertClose(name + ".first16", values.AsSpan(0, 16), largest, gap);
            golden.AssertClose(name + ".cell1_last16", values.AsSpan(values.Length - 16), largest, gap);
            golden.AssertClose(name + ".mean_std", MeanAndDeviation(values), largest);
        }

        var losses = device.Allocate(new Shape(Cells));
        CrossEntropyStep.Run(tape, traced.Output.Logits, labels, 0.1f, 1f / Cells, losses);
        // The loss is a sum over the logits: their gap bounds its own.
        Assert.Equal(golden.Double.Scalar("loss"), device.Read<float>(losses).Average(), (2 * golden.Gap("logits")) + 1e-6);
        tape.Backward();
        AssertGradients(model, golden, traced);
        losses.Storage.Dispose();
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Cells_predicted_alone_agree(bool fuses)
    {
        using var model = Load(out var tokens, out _);
        var golden = new GoldenPair("performer_scbert", "outputs");
        using var tape = new Tape(device) { FusesBlocks = fuses };
        var output = model.Forward(tape, tokens, new EncoderPass(Cells));
        var largest = Closeness.Scale(golden.Double.Doubles("final_norm"));
        golden.AssertClose("per_cell.manifold", device.Read<float>(output.Manifold.Value), largest);
        golden.AssertClose("per_cell.representation", device.Read<float>(output.Representation.Value), largest);
        golden.AssertClose("per_cell.logits", device.Read<float>(output.Logits.Value), largest);
    }

    private void AssertGradients(CellTypeModel model, GoldenPair golden, TracedForward traced)
    {
        // Two sums over all positions cancel to a thousandth of their terms: their largest intermediates are the sums of absolute values.
        var intermediates = new Dictionary<string, double>
        {
            ["norm.bias"] = NormOfAbsoluteSums(device.Read<float>(traced.Activations["final_norm"].Gradient), Geometry.Width),
            ["to_out.conv1.bias"] = NormOfAbsoluteSums(device.Read<float>(traced.Activations["conv_relu"].Gradient), 1),
        };
        var relative = golden.RelativeGap("grad.");
        var norms = golden.Double.Names.Where(name => name.StartsWith("grad_norm.", StringComparison.Ordinal))
            .Max(name => golden.Gap(name) / golden.Double.Scalar(name));
        foreach (var parameter in model.Parameters.Parameters.Where(parameter => parameter.Trains))
        {
            var gradient = device.Read<float>(parameter.Gradient);
            var norm = Math.Sqrt(gradient.Sum(value => (double)value * value));
            var expected = golden.Double.Scalar("grad_norm." + parameter.Name);
            Closeness.Assert("grad_norm." + parameter.Name, [norm], [expected],
                (2 * norms * expected) + (2.0 / (1 << 24) * intermediates.GetValueOrDefault(parameter.Name)));
            if (golden.Double.Has("grad." + parameter.Name)) golden.AssertCloseRelative("grad." + parameter.Name, gradient, relative);
        }
    }

    private static double NormOfAbsoluteSums(float[] rows, int columns)
    {
        var sums = new double[columns];
        for (var i = 0; i < rows.Length; i++) sums[i % columns] += Math.Abs(rows[i]);
        return Math.Sqrt(sums.Sum(sum => sum * sum));
    }

    private CellTypeModel Load(out Tensor tokens, out Tensor labels)
    {
        var model = new CellTypeModel(device, Geometry, types: 9);
        using var formula = JsonDocument.Parse(File.ReadAllBytes(SharedFiles.Require("golden", "performer_scbert", "weights_formula.json")));
        var written = 0;
        foreach (var tensor in formula.RootElement.EnumerateArray().Where(tensor => tensor.GetProperty("kind").GetString() == "hash"))
        {
            var name = tensor.GetProperty("name").GetString()!;
            var values = Hashed(tensor, (int)model.Parameters[name].Shape.Count);
            if (name == "pos_emb.emb.weight") values.AsSpan(values.Length - Geometry.Width).Clear();
            Assert.Equal(tensor.GetProperty("first4").EnumerateArray().Select(value => (float)value.GetDouble()), values.Take(tensor.GetProperty("first4").GetArrayLength()));
            Assert.Equal(tensor.GetProperty("sum").GetDouble(), values.Sum(value => (double)value), 1e-6);
            model.Parameters.Write(name, values);
            written++;
        }
        Assert.Equal(model.Parameters.Parameters.Count, written);
        var inputs = SharedFiles.Golden("performer_scbert", "inputs");
        tokens = model.Tokens(inputs.Ints("tokens"));
        labels = model.Labels(inputs.Ints("labels"));
        return model;
    }

    // The generator of golden/README.md, "performer_scbert".
    private static float[] Hashed(JsonElement tensor, int count)
    {
        unchecked
        {
            var (add, scale) = (tensor.GetProperty("add").GetDouble(), tensor.GetProperty("scale").GetDouble());
            var seed = ((ulong)tensor.GetProperty("index").GetInt32() * 0x9E3779B97F4A7C15) + 0x2545F4914F6CDD1D;
            var values = new float[count];
            for (var j = 0; j < count; j++)
            {
                var z = seed + ((ulong)(j + 1) * 0x9E3779B97F4A7C15);
                z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
                z ^= z >> 31;
                values[j] = (float)(add + (scale * (((z >> 40) / (double)(1 << 23)) - 1)));
            }
            return values;
        }
    }

    private static float[] MeanAndDeviation(float[] values)
    {
        var mean = values.Sum(value => (double)value) / values.Length;
        return [(float)mean, (float)Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / values.Length)];
    }
}

/// <summary>On the processor.</summary>
public sealed class CpuPerformerScbertTests() : PerformerScbertTests(TestDevice.Cpu);

/// <summary>On the CUDA device, emulated.</summary>
public sealed class EmulatedPerformerScbertTests() : PerformerScbertTests(TestDevice.Emulated);

/// <summary>On the CUDA device, on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverPerformerScbertTests() : PerformerScbertTests(TestDevice.Card);
