using System.Numerics;
using System.Runtime.InteropServices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Models;
using MathNet.Numerics;

namespace Canal.Benchmarks;

/// <summary>
/// The whole model in float64, cell by cell, written out from method.md sections 2 and 3 and by none of the devices' code: what their
/// accuracy is measured against. Linear in the tokens, so that real cells take seconds.
/// </summary>
internal sealed class ModelInFloat64(AnnotationModel model)
{
    private readonly Dictionary<string, double[]> weights = model.Weights.ToDictionary(pair => pair.Key, pair => Array.ConvertAll(pair.Value, v => (double)v), StringComparer.Ordinal);
    private readonly EncoderGeometry sizes = model.Configuration.Encoder();

    /// <summary>A cell's attention outputs and block outputs, [T, C] each, block by block, and its logits.</summary>
    /// <param name="tokens">[T] dense tokens.</param>
    public (IReadOnlyList<double[]> Attention, IReadOnlyList<double[]> Blocks, double[] Logits) Run(ReadOnlySpan<byte> tokens)
    {
        var (attention, blocks) = (new List<double[]>(), new List<double[]>());
        var x = (double[])weights["pos_emb.emb.weight"].Clone();
        for (var t = 0; t < sizes.Positions; t++) Add(x.AsSpan(t * sizes.Width, sizes.Width), Row("token_emb.weight", tokens[t], sizes.Width));
        for (var block = 0; block < sizes.Blocks; block++)
        {
            var (first, second) = ($"performer.net.layers.{block}.0.", $"performer.net.layers.{block}.1.");
            var h = Norm(x, first + "norm");
            attention.Add(Linear(
                Attend(Linear(h, first + "fn.to_q"), Linear(h, first + "fn.to_k"), Linear(h, first + "fn.to_v"), weights[first + "fn.fast_attention.projection_matrix"]),
                first + "fn.to_out"));
            Add(x, attention[^1]);
            var hidden = Linear(Norm(x, second + "norm"), second + "fn.fn.w1");
            for (var i = 0; i < hidden.Length; i++) hidden[i] = 0.5 * hidden[i] * (1 + SpecialFunctions.Erf(hidden[i] / Math.Sqrt(2)));
            Add(x, Linear(hidden, second + "fn.fn.w2"));
            blocks.Add((double[])x.Clone());
        }
        var y = Norm(x, "norm");
        foreach (var layer in (string[])["conv1", "fc1", "fc2"]) y = Array.ConvertAll(Linear(y, "to_out." + layer), v => Math.Max(v, 0));
        return (attention, blocks, Linear(y, "to_out.fc3"));
    }

    private ReadOnlySpan<double> Row(string name, int row, int width) => weights[name].AsSpan(row * width, width);

    private double[] Norm(double[] x, string name)
    {
        var (y, gamma, beta, c) = (new double[x.Length], weights[name + ".weight"], weights[name + ".bias"], sizes.Width);
        for (var row = 0; row < x.Length; row += c)
        {
            var values = x.AsSpan(row, c);
            var mean = Sum(values) / c;
            var variance = 0.0;
            foreach (var value in values) variance += (value - mean) * (value - mean) / c;
            var scale = 1 / Math.Sqrt(variance + LayerNorm.Epsilon);
            for (var i = 0; i < c; i++) y[row + i] = ((values[i] - mean) * scale * gamma[i]) + beta[i];
        }
        return y;
    }

    // Rows of as many values as the weight has inputs; conv1's weight is one row over the width.
    private double[] Linear(double[] x, string name)
    {
        var weight = weights[name + ".weight"];
        var bias = weights.GetValueOrDefault(name + ".bias");
        var outputs = bias?.Length ?? sizes.InnerWidth;
        var inputs = weight.Length / outputs;
        var y = new double[x.Length / inputs * outputs];
        Parallel.For(0, x.Length / inputs, row =>
        {
            for (var o = 0; o < outputs; o++)
            {
                y[(row * outputs) + o] = Dot(x.AsSpan(row * inputs, inputs), weight.AsSpan(o * inputs, inputs)) + (bias?[o] ?? 0);
            }
        });
        return y;
    }

    private double[] Attend(double[] q, double[] k, double[] v, double[] projection)
    {
        var output = new double[q.Length];
        var keys = new double[sizes.Heads][];
        Parallel.For(0, sizes.Heads, head => keys[head] = Projected(k, projection, head));
        var maximum = keys.Max(head => head.Max());
        Parallel.For(0, sizes.Heads, head =>
        {
            var (m, d) = (sizes.Features, sizes.HeadWidth);
            var (sums, normaliser) = (new double[m * d], new double[m]);
            for (var t = 0; t < sizes.Positions; t++)
            {
                var features = Features(keys[head].AsSpan(t * m, m), Head(k, t, head), maximum);
                Add(normaliser, features);
                for (var j = 0; j < m; j++) AddScaled(sums.AsSpan(j * d, d), Head(v, t, head), features[j]);
            }
            var queries = Projected(q, projection, head);
            for (var t = 0; t < sizes.Positions; t++)
            {
                var logits = queries.AsSpan(t * m, m);
                var features = Features(logits, Head(q, t, head), Largest(logits));
                var total = Dot(features, normaliser);
                var row = output.AsSpan(((t * sizes.Heads) + head) * d, d);
                for (var j = 0; j < m; j++) AddScaled(row, sums.AsSpan(j * d, d), features[j] / total);
            }
        });
        return output;
    }

    // c w_j . x of every token of a head, [T, M], c = D^(-1/4).
    private double[] Projected(double[] x, double[] projection, int head)
    {
        var (m, d) = (sizes.Features, sizes.HeadWidth);
        var (logits, scale) = (new double[sizes.Positions * m], Math.Pow(d, -0.25));
        for (var t = 0; t < sizes.Positions; t++)
        {
            for (var j = 0; j < m; j++) logits[(t * m) + j] = scale * Dot(projection.AsSpan(j * d, d), Head(x, t, head));
        }
        return logits;
    }

    private double[] Features(ReadOnlySpan<double> logits, ReadOnlySpan<double> x, double maximum)
    {
        var half = Dot(x, x) / (2 * Math.Sqrt(sizes.HeadWidth));
        var features = new double[logits.Length];
        for (var j = 0; j < features.Length; j++) features[j] = Math.Exp(logits[j] - half - maximum) + FavorSizes.FeatureMapEpsilon;
        return features;
    }

    private ReadOnlySpan<double> Head(double[] x, int token, int head) => x.AsSpan(((token * sizes.Heads) + head) * sizes.HeadWidth, sizes.HeadWidth);

    private static double Sum(ReadOnlySpan<double> x)
    {
        var sum = 0.0;
        foreach (var value in x) sum += value;
        return sum;
    }

    private static double Largest(ReadOnlySpan<double> x)
    {
        var largest = double.NegativeInfinity;
        foreach (var value in x) largest = Math.Max(largest, value);
        return largest;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var wideA = MemoryMarshal.Cast<double, Vector<double>>(a);
        var wideB = MemoryMarshal.Cast<double, Vector<double>>(b);
        var sums = Vector<double>.Zero;
        for (var i = 0; i < wideA.Length; i++) sums += wideA[i] * wideB[i];
        var sum = Vector.Sum(sums);
        for (var i = wideA.Length * Vector<double>.Count; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    private static void Add(Span<double> to, ReadOnlySpan<double> from) => AddScaled(to, from, 1);

    private static void AddScaled(Span<double> to, ReadOnlySpan<double> from, double factor)
    {
        var wideTo = MemoryMarshal.Cast<double, Vector<double>>(to);
        var wideFrom = MemoryMarshal.Cast<double, Vector<double>>(from);
        for (var i = 0; i < wideTo.Length; i++) wideTo[i] += wideFrom[i] * factor;
        for (var i = wideTo.Length * Vector<double>.Count; i < to.Length; i++) to[i] += from[i] * factor;
    }
}
