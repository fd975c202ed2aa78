using Canal.Engine.Autograd;
using Canal.Engine.Layers;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Models;

/// <summary>
/// Gene attention through the whole model, golden/attention. Rightful difference (method.md section 9): Canal's attention is that of the input
/// the blocks really use; the reference's own map is of the input after the residual update.
/// </summary>
public abstract class GeneAttentionOfModelTests(TestDevice kind)
{
    private const int Cells = 4;

    [SkippableFact]
    public void Gene_attention_of_the_forward_input_agrees()
    {
        using var device = TestDevices.Open(kind);
        using var model = new CellTypeModel(device, CellTypeModel.Tiny, types: 5).Load(SharedFiles.Golden("performer_tiny", "weights"));
        var tokens = model.Tokens(SharedFiles.Golden("attention", "inputs").Ints("tokens"));
        var golden = new GoldenPair("attention", "attention");
        var (blocks, heads, positions) = (model.Geometry.Blocks, model.Geometry.Heads, model.Geometry.Positions);
        var weights = model.Values(new Shape(blocks, heads), [.. Enumerable.Repeat(1f / (blocks * heads * positions), blocks * heads)]);
        var scores = model.Values(new Shape(Cells, positions), new float[Cells * positions]);
        using var tape = Tape.ForInference(device);
        model.Encoder.AddGeneAttention(tape, tokens, scores, weights, new EncoderPass(Cells));

        // The fixture divides each cell's scores by their sum, which is 1 up to rounding.
        var read = device.Read<float>(scores);
        for (var cell = 0; cell < Cells; cell++) Assert.Equal(1.0, read.Skip(cell * positions).Take(positions).Sum(), 1e-5);
        // The largest intermediate is a row of the attention matrix, which sums to 1 over 31 positions.
        golden.AssertClose("gene_scores_of_forward_input", read, 1);
    }
}

/// <summary>On the processor.</summary>
public sealed class CpuGeneAttentionOfModelTests() : GeneAttentionOfModelTests(TestDevice.Cpu);

/// <summary>On the CUDA device, emulated.</summary>
public sealed class EmulatedGeneAttentionOfModelTests() : GeneAttentionOfModelTests(TestDevice.Emulated);

/// <summary>On the CUDA device, on a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverGeneAttentionOfModelTests() : GeneAttentionOfModelTests(TestDevice.Card);
