using Canal.Engine.Layers;
using Canal.Engine.Operations;
using static Canal.Benchmarks.VectorsInFloat64;

namespace Canal.Benchmarks;

/// <summary>
/// FAVOR+ of one cell in float64 as method.md section 2 writes it down first: features with their eps, out = phi_q S / (phi_q z), and the derivative of
/// exactly that, through both maxima. The kernels' centred form, and its closed forms of the sums, are another route to the same numbers.
/// Linear in the tokens, so that real cells take seconds.
/// </summary>
internal sealed class AttentionInFloat64(EncoderGeometry sizes, double[] projection, double[] q, double[] k, double[] v)
{
    private const double Epsilon = FavorSizes.FeatureMapEpsilon;
    private readonly double c = Math.Pow(sizes.HeadWidth, -0.25);
    private readonly int m = sizes.Features, d = sizes.HeadWidth;

    /// <summary>[T, H·D].</summary>
    public double[] Forward()
    {
        var output = new double[q.Length];
        var (keys, maximum, _) = Keys();
        Parallel.For(0, sizes.Heads, head =>
        {
            var (sums, normaliser) = Sums(keys[head], head, maximum);
            var features = new double[m];
            for (var t = 0; t < sizes.Positions; t++)
            {
                QueryFeatures(features, t, head);
                var total = Dot(features, normaliser);
                var row = output.AsSpan(At(t, head), d);
                for (var j = 0; j < m; j++) AddScaled(row, sums.AsSpan(j * d, d), features[j] / total);
            }
        });
        return output;
    }

    /// <summary>Gradients of sum(dout · output) with respect to q, k and v.</summary>
    public (double[] DQ, double[] DK, double[] DV) Backward(double[] dout)
    {
        var (dq, dk, dv) = (new double[q.Length], new double[k.Length], new double[v.Length]);
        var (keys, maximum, place) = Keys();
        var keySums = new double[sizes.Heads];
        Parallel.For(0, sizes.Heads, head =>
        {
            var (sums, normaliser) = Sums(keys[head], head, maximum);
            var (dsums, dnormaliser) = BackwardOfQueries(dq, dout, sums, normaliser, head);
            var dfeatures = new double[m];
            for (var t = 0; t < sizes.Positions; t++)
            {
                var at = At(t, head);
                var features = keys[head].AsSpan(t * m, m);
                for (var j = 0; j < m; j++)
                {
                    dfeatures[j] = Dot(dsums.AsSpan(j * d, d), v.AsSpan(at, d)) + dnormaliser[j];
                    AddScaled(dv.AsSpan(at, d), dsums.AsSpan(j * d, d), features[j]);
                }
                keySums[head] += ThroughExponentials(dk, k, dfeatures, features, at);
            }
        });
        // One maximum stands in the exponent of every key of every head.
        AddScaled(dk.AsSpan(At(place.Token, place.Head), d), Row(place.Feature), -c * Sum(keySums));
        return (dq, dk, dv);
    }

    // dq of a head; returns the gradients of its sums over the keys.
    private (double[] Sums, double[] Normaliser) BackwardOfQueries(double[] dq, double[] dout, double[] sums, double[] normaliser, int head)
    {
        var (dsums, dnormaliser, features, dfeatures) = (new double[m * d], new double[m], new double[m], new double[m]);
        var (dnumerator, output) = (new double[d], new double[d]);
        for (var t = 0; t < sizes.Positions; t++)
        {
            var at = At(t, head);
            var best = QueryFeatures(features, t, head);
            var total = Dot(features, normaliser);
            Array.Clear(output);
            for (var j = 0; j < m; j++) AddScaled(output, sums.AsSpan(j * d, d), features[j] / total);
            var dtotal = -Dot(dout.AsSpan(at, d), output) / total;
            for (var i = 0; i < d; i++) dnumerator[i] = dout[at + i] / total;
            for (var j = 0; j < m; j++)
            {
                AddScaled(dsums.AsSpan(j * d, d), dnumerator, features[j]);
                dnormaliser[j] += features[j] * dtotal;
                dfeatures[j] = Dot(sums.AsSpan(j * d, d), dnumerator) + (normaliser[j] * dtotal);
            }
            // A query's own maximum stands in all of its exponents.
            var sum = ThroughExponentials(dq, q, dfeatures, features, at);
            AddScaled(dq.AsSpan(at, d), Row(best), -c * sum);
        }
        return (dsums, dnormaliser);
    }

    // dx += c P^T g - c^2 x sum g with g = dphi (phi - eps); returns sum g, which the maximum takes.
    private double ThroughExponentials(double[] dx, double[] x, ReadOnlySpan<double> dfeatures, ReadOnlySpan<double> features, int at)
    {
        var row = dx.AsSpan(at, d);
        var sum = 0.0;
        for (var j = 0; j < m; j++)
        {
            var g = dfeatures[j] * (features[j] - Epsilon);
            AddScaled(row, Row(j), c * g);
            sum += g;
        }
        AddScaled(row, x.AsSpan(at, d), -c * c * sum);
        return sum;
    }

    // c P k of every head, [T, M] each, their one maximum and where it is: the lowest (token, feature, head).
    private (double[][] Logits, double Maximum, (int Token, int Feature, int Head) Place) Keys()
    {
        var logits = new double[sizes.Heads][];
        Parallel.For(0, sizes.Heads, head =>
        {
            logits[head] = new double[sizes.Positions * m];
            for (var t = 0; t < sizes.Positions; t++) Project(logits[head].AsSpan(t * m, m), k, At(t, head));
        });
        var (maximum, place) = (double.NegativeInfinity, (0, 0, 0));
        for (var i = 0; i < sizes.Positions * m; i++)
        {
            for (var head = 0; head < sizes.Heads; head++)
            {
                if (logits[head][i] > maximum) (maximum, place) = (logits[head][i], (i / m, i % m, head));
            }
        }
        return (logits, maximum, place);
    }

    // Turns a head's logits into features; S = sum phi_k v^T [M, D] and z = sum phi_k [M].
    private (double[] Sums, double[] Normaliser) Sums(double[] keys, int head, double maximum)
    {
        var (sums, normaliser) = (new double[m * d], new double[m]);
        for (var t = 0; t < sizes.Positions; t++)
        {
            var at = At(t, head);
            var features = keys.AsSpan(t * m, m);
            Exponentiate(features, k.AsSpan(at, d), maximum);
            Add(normaliser, features);
            for (var j = 0; j < m; j++) AddScaled(sums.AsSpan(j * d, d), v.AsSpan(at, d), features[j]);
        }
        return (sums, normaliser);
    }

    // Returns the first feature whose logit is the largest.
    private int QueryFeatures(Span<double> features, int token, int head)
    {
        Project(features, q, At(token, head));
        var best = 0;
        for (var j = 1; j < m; j++) best = features[j] > features[best] ? j : best;
        Exponentiate(features, q.AsSpan(At(token, head), d), features[best]);
        return best;
    }

    private void Project(Span<double> logits, double[] x, int at)
    {
        for (var j = 0; j < m; j++) logits[j] = c * Dot(Row(j), x.AsSpan(at, d));
    }

    private void Exponentiate(Span<double> logits, ReadOnlySpan<double> x, double maximum)
    {
        var half = c * c * Dot(x, x) / 2;
        for (var j = 0; j < m; j++) logits[j] = Math.Exp(logits[j] - half - maximum) + Epsilon;
    }

    private ReadOnlySpan<double> Row(int feature) => projection.AsSpan(feature * d, d);

    private int At(int token, int head) => ((token * sizes.Heads) + head) * d;
}
