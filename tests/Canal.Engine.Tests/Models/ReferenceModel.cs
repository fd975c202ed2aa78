using Canal.Engine.Layers;

namespace Canal.Engine.Tests.Models;

/// <summary>
/// The whole model in float64 and by another route than the kernels: attention as a full matrix with the textbook features, one key maximum a
/// cell, every layer written out from method.md sections 2 to 4. Slow; for central differences.
/// </summary>
internal sealed class ReferenceModel
{
    private const double FeatureEpsilon = 1e-4;
    private readonly EncoderGeometry geometry;
    private readonly Dictionary<string, double[]> weights = [];

    public ReferenceModel(CellTypeModel model)
    {
        geometry = model.Geometry;
        foreach (var parameter in model.Parameters.Parameters)
        {
            weights[parameter.Name] = [.. model.Parameters.Read(parameter.Name).Select(value => (double)value)];
        }
    }

    /// <summary>A parameter's values; change them to take differences.</summary>
    public double[] this[string name] => weights[name];

    /// <summary>Mean label-smoothed cross-entropy plus weighted distillation to a fixed representation.</summary>
    public double Loss(int[] tokens, int[] labels, double smoothing, double[] previous, double weight)
    {
        var (loss, squares) = (0.0, 0.0);
        for (var cell = 0; cell < labels.Length; cell++)
        {
            var (representation, logits) = Cell(tokens.AsSpan(cell * geometry.Positions, geometry.Positions));
            var normaliser = Math.Log(logits.Sum(Math.Exp));
            for (var k = 0; k < logits.Length; k++)
            {
                loss -= (((k == labels[cell] ? 1 - smoothing : 0) + (smoothing / logits.Length)) * (logits[k] - normaliser)) / labels.Length;
            }
            for (var r = 0; r < representation.Length; r++) squares += Math.Pow(representation[r] - previous[(cell * representation.Length) + r], 2);
        }
        return loss + (weight * squares / previous.Length);
    }

    private (double[] Representation, double[] Logits) Cell(ReadOnlySpan<int> tokens)
    {
        var (t, c) = (geometry.Positions, geometry.Width);
        var x = new double[t * c];
        for (var i = 0; i < x.Length; i++) x[i] = weights["token_emb.weight"][(tokens[i / c] * c) + (i % c)] + weights["pos_emb.emb.weight"][i];
        for (var block = 0; block < geometry.Blocks; block++)
        {
            var attention = $"performer.net.layers.{block}.0.";
            var h = Norm(x, attention + "norm");
            var attended = Attention(Linear(h, attention + "fn.to_q"), Linear(h, attention + "fn.to_k"), Linear(h, attention + "fn.to_v"),
                weights[attention + "fn.fast_attention.projection_matrix"]);
            x = Sum(x, Linear(attended, attention + "fn.to_out"));
            var feedForward = $"performer.net.layers.{block}.1.";
            var hidden = Linear(Norm(x, feedForward + "norm"), feedForward + "fn.fn.w1");
            x = Sum(x, Linear([.. hidden.Select(Gelu)], feedForward + "fn.fn.w2"));
        }
        var filtered = Linear(Norm(x, "norm"), "to_out.conv1").Select(Relu).ToArray();
        var manifold = Linear(filtered, "to_out.fc1").Select(Relu).ToArray();
        var representation = Linear(manifold, "to_out.fc2").Select(Relu).ToArray();
        return (representation, Linear(representation, "to_out.fc3"));
    }

    private double[] Attention(double[] q, double[] k, double[] v, double[] projection)
    {
        var (t, heads, d, m) = (geometry.Positions, geometry.Heads, geometry.HeadWidth, geometry.Features);
        var (queries, keys) = (Projected(q, projection), Projected(k, projection));
        var keyMaximum = keys.Max();
        var output = new double[q.Length];
        for (var head = 0; head < heads; head++)
        {
            for (var i = 0; i < t; i++)
            {
                var features = Features(q, queries, i, head, queries.AsSpan(((i * heads) + head) * m, m).ToArray().Max());
                var normaliser = 0.0;
                var row = new double[d];
                for (var j = 0; j < t; j++)
                {
                    var other = Features(k, keys, j, head, keyMaximum);
                    var weight = 0.0;
                    for (var f = 0; f < m; f++) weight += features[f] * other[f];
                    normaliser += weight;
                    for (var e = 0; e < d; e++) row[e] += weight * v[(((j * heads) + head) * d) + e];
                }
                for (var e = 0; e < d; e++) output[(((i * heads) + head) * d) + e] = row[e] / normaliser;
            }
        }
        return output;
    }

    // c P x for every token and head: [T, H, M], with c = D^(-1/4).
    private double[] Projected(double[] x, double[] projection)
    {
        var (heads, d, m) = (geometry.Heads, geometry.HeadWidth, geometry.Features);
        var scale = Math.Pow(d, -0.25);
        var projected = new double[geometry.Positions * heads * m];
        for (var i = 0; i < projected.Length; i++)
        {
            for (var e = 0; e < d; e++) projected[i] += scale * projection[(i % m * d) + e] * x[(i / m * d) + e];
        }
        return projected;
    }

    private double[] Features(double[] x, double[] projected, int token, int head, double maximum)
    {
        var (heads, d, m) = (geometry.Heads, geometry.HeadWidth, geometry.Features);
        var row = (token * heads) + head;
        var square = 0.0;
        for (var e = 0; e < d; e++) square += x[(row * d) + e] * x[(row * d) + e];
        var features = new double[m];
        for (var f = 0; f < m; f++)
        {
            features[f] = (Math.Exp(projected[(row * m) + f] - (square / (2 * Math.Sqrt(d))) - maximum) + FeatureEpsilon) / Math.Sqrt(m);
        }
        return features;
    }

    private double[] Linear(double[] x, string name)
    {
        var weight = weights[name + ".weight"];
        var bias = weights.GetValueOrDefault(name + ".bias");
        // The input's width follows from what the layer is applied to: the head's layers to a whole cell, all others to each token.
        var outputs = bias?.Length ?? geometry.InnerWidth;
        var inputs = weight.Length / outputs;
        var y = new double[x.Length / inputs * outputs];
        for (var i = 0; i < y.Length; i++)
        {
            var sum = bias?[i % outputs] ?? 0;
            for (var j = 0; j < inputs; j++) sum += weight[(i % outputs * inputs) + j] * x[(i / outputs * inputs) + j];
            y[i] = sum;
        }
        return y;
    }

    private double[] Norm(double[] x, string name)
    {
        var (gamma, beta) = (weights[name + ".weight"], weights[name + ".bias"]);
        var width = gamma.Length;
        var y = new double[x.Length];
        for (var row = 0; row < x.Length; row += width)
        {
            var mean = x.AsSpan(row, width).ToArray().Average();
            var variance = x.AsSpan(row, width).ToArray().Average(value => (value - mean) * (value - mean));
            for (var c = 0; c < width; c++) y[row + c] = ((x[row + c] - mean) / Math.Sqrt(variance + 1e-5) * gamma[c]) + beta[c];
        }
        return y;
    }

    private static double[] Sum(double[] left, double[] right) => [.. left.Zip(right, (a, b) => a + b)];

    private static double Relu(double x) => Math.Max(x, 0);

    // The error function by its Maclaurin series: 0.5 x (1 + erf(x / sqrt 2)) for the moderate arguments of a test.
    private static double Gelu(double x)
    {
        var z = x / Math.Sqrt(2);
        var (term, sum) = (z, z);
        for (var n = 1; n < 200 && Math.Abs(term) > 1e-18; n++)
        {
            term *= -z * z / n;
            sum += term / ((2 * n) + 1);
        }
        return 0.5 * x * (1 + (2 / Math.Sqrt(Math.PI) * sum));
    }
}
