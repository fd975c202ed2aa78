using Canal.Engine.Devices.Cuda;
using Canal.Engine.Layers;
using Canal.Models;
using static Canal.Benchmarks.VectorsInFloat64;

namespace Canal.Benchmarks;

/// <summary>
/// The whole model in float64, cell by cell, with its gradient: what a device's accuracy is measured against. Given a precision, it rounds what that
/// stores and multiplies, and nothing else: what rounding alone explains.
/// </summary>
/// <param name="model">An annotation model.</param>
/// <param name="precision">What to round to; null rounds nothing.</param>
/// <param name="frozenBlocks">The first blocks, which do not train: they have the precision's forward type, the others that of training.</param>
internal sealed class ModelInFloat64(AnnotationModel model, CudaPrecision? precision = null, int frozenBlocks = 0)
{
    private readonly Dictionary<string, double[]> weights = model.Weights.ToDictionary(pair => pair.Key, pair => Array.ConvertAll(pair.Value, v => (double)v), StringComparer.Ordinal);
    private readonly EncoderGeometry sizes = model.Configuration.Encoder();

    private RoundingInFloat64 Outside => precision is null ? RoundingInFloat64.Exact : RoundingInFloat64.OfBlock(precision, frozen: false).OfResidual;

    /// <summary>A parameter's values; change them to take differences.</summary>
    public double[] this[string name] => weights[name];

    /// <summary>A cell's attention outputs and block outputs, [T, C] each, block by block, and its logits.</summary>
    /// <param name="tokens">[T] dense tokens.</param>
    public RunInFloat64 Run(ReadOnlySpan<byte> tokens)
    {
        var tape = new TapeInFloat64(weights, sizes);
        var input = Embedded(tokens);
        var (x, attention, blocks) = (input, new List<double[]>(), new List<double[]>());
        for (var block = 0; block < sizes.Blocks; block++)
        {
            (var attended, x) = Block(tape, x, block);
            attention.Add(attended.Data);
            blocks.Add(x.Data);
        }
        var units = new List<double>();
        var logits = Logits(tape, x, units).Data;
        return new RunInFloat64(tokens.ToArray(), input.Data, attention, blocks, [.. units.Select(unit => unit > 0)], logits);
    }

    /// <summary>The label-smoothed cross-entropy of a run's cell.</summary>
    public static double Loss(RunInFloat64 run, int label, double smoothing)
    {
        var normaliser = LogSum(run.Logits);
        return Enumerable.Range(0, run.Logits.Length).Sum(k => Target(k, label, smoothing, run.Logits.Length) * (normaliser - run.Logits[k]));
    }

    /// <summary>Adds the gradient of weight · <see cref="Loss"/> to the parameters' own. Blocks are run again one by one, so that one block's values are in memory at a time.</summary>
    /// <param name="run">What <see cref="Run"/> said of the cell.</param>
    /// <param name="label">Its type.</param>
    /// <param name="smoothing">s: target (1 - s) one-hot + s / K.</param>
    /// <param name="weight">Weight of the cell's loss.</param>
    /// <param name="gradients">By name of the parameter.</param>
    public void AddGradients(RunInFloat64 run, int label, double smoothing, double weight, Dictionary<string, double[]> gradients)
    {
        var tape = new TapeInFloat64(weights, sizes, gradients);
        var x = new ValuesInFloat64(run.Blocks[^1], Outside);
        var logits = Logits(tape, x);
        var normaliser = LogSum(logits.Data);
        logits.AddGradient([.. logits.Data.Select((logit, k) => weight * (Math.Exp(logit - normaliser) - Target(k, label, smoothing, logits.Data.Length)))]);
        tape.Backward();
        for (var block = sizes.Blocks - 1; block >= frozenBlocks; block--)
        {
            var input = new ValuesInFloat64(block == 0 ? run.Input : run.Blocks[block - 1], Outside);
            Block(tape, input, block).Output.AddGradient(x.Gradient!);
            tape.Backward();
            x = input;
        }
        if (frozenBlocks > 0) return;
        Add(tape.GradientOf("pos_emb.emb.weight"), x.Gradient);
        var bins = tape.GradientOf("token_emb.weight");
        for (var t = 0; t < sizes.Positions; t++) Add(bins.AsSpan(run.Tokens[t] * sizes.Width, sizes.Width), x.Gradient.AsSpan(t * sizes.Width, sizes.Width));
    }

    private ValuesInFloat64 Embedded(ReadOnlySpan<byte> tokens)
    {
        var x = (double[])weights["pos_emb.emb.weight"].Clone();
        for (var t = 0; t < sizes.Positions; t++) Add(x.AsSpan(t * sizes.Width, sizes.Width), weights["token_emb.weight"].AsSpan(tokens[t] * sizes.Width, sizes.Width));
        return new ValuesInFloat64(x, Outside);
    }

    private (ValuesInFloat64 Attention, ValuesInFloat64 Output) Block(TapeInFloat64 tape, ValuesInFloat64 x, int block)
    {
        var (first, second) = ($"performer.net.layers.{block}.0.", $"performer.net.layers.{block}.1.");
        var inside = precision is null ? RoundingInFloat64.Exact : RoundingInFloat64.OfBlock(precision, block < frozenBlocks);
        var h = tape.Norm(x, first + "norm", inside);
        var (q, k, v) = (Projected("to_q"), Projected("to_k"), Projected("to_v"));
        var attention = tape.Linear(tape.Attend(q, k, v, first + "fn.fast_attention.projection_matrix", inside), first + "fn.to_out", inside, Outside);
        x = tape.Sum(x, attention, Outside);
        var hidden = tape.Gelu(tape.Linear(tape.Norm(x, second + "norm", inside), second + "fn.fn.w1", inside, inside), inside);
        return (attention, tape.Sum(x, tape.Linear(hidden, second + "fn.fn.w2", inside, Outside), Outside));

        ValuesInFloat64 Projected(string name) => tape.Linear(h, first + "fn." + name, inside, inside);
    }

    private ValuesInFloat64 Logits(TapeInFloat64 tape, ValuesInFloat64 x, List<double>? units = null)
    {
        var y = tape.Norm(x, "norm", Outside);
        foreach (var layer in (string[])["conv1", "fc1", "fc2"])
        {
            // The filter over the width is no matrix product.
            y = tape.Relu(tape.Linear(y, "to_out." + layer, layer == "conv1" ? Outside with { Tf32 = false } : Outside, Outside), Outside);
            units?.AddRange(y.Data);
        }
        return tape.Linear(y, "to_out.fc3", Outside, Outside);
    }

    private static double LogSum(double[] logits)
    {
        var largest = logits.Max();
        return largest + Math.Log(logits.Sum(logit => Math.Exp(logit - largest)));
    }

    private static double Target(int type, int label, double smoothing, int types) => (type == label ? 1 - smoothing : 0) + (smoothing / types);
}

/// <summary>A cell's run through <see cref="ModelInFloat64"/>.</summary>
/// <param name="Tokens">[T].</param>
/// <param name="Input">[T, C]: what the first block gets.</param>
/// <param name="Attention">What each block's attention adds, [T, C].</param>
/// <param name="Blocks">What each block gives, [T, C].</param>
/// <param name="Units">Which units of the head's three ReLUs are on: filter, manifold, representation.</param>
/// <param name="Logits">[K].</param>
internal sealed record RunInFloat64(byte[] Tokens, double[] Input, IReadOnlyList<double[]> Attention, IReadOnlyList<double[]> Blocks, bool[] Units, double[] Logits);
