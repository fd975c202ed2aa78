using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Canal.Evaluation;

/// <summary>
/// The objective of multinomial logistic regression: the sum over cells of -log p(type) plus |W|^2 / (2 C), intercepts free, in float64.
/// Parameters are [features + 1, stride], the intercepts last; stride is the number of types rounded up to a vector, the surplus always 0.
/// </summary>
/// <remarks>
/// Minimised over W / scale and the intercepts at the mean cell: the scale of a feature makes its diagonal curvature 1 (at probabilities of
/// 1 / K), and features without their mean are hardly correlated with each other. Both change the way there, not the minimum. Cells are
/// summed in a fixed number of parts, so that threads change no bit.
/// </remarks>
internal sealed class MultinomialObjective : IObjective
{
    private const int Parts = 8, Lanes = 4;
    private readonly SparseFeatures features;
    private readonly int[] labels;
    private readonly int types, stride;
    private readonly double c;
    private readonly double[] scales, means, weights;
    private readonly double[][] gradients;
    private readonly double[] losses = new double[Parts];
    private readonly ParallelOptions options;

    public MultinomialObjective(SparseFeatures features, int[] labels, int types, double c, int threads)
    {
        (this.features, this.labels, this.types, this.c, stride) = (features, labels, types, c, StrideOf(types));
        weights = new double[Size];
        gradients = [.. Enumerable.Range(0, Parts).Select(_ => new double[Size])];
        options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        (means, scales) = Scales(features, types, c);
    }

    public int Size => (features.Columns + 1) * stride;

    /// <summary>Doubles a feature's weights take.</summary>
    public static int StrideOf(int types) => (types + Lanes - 1) / Lanes * Lanes;

    public double Evaluate(double[] parameters, double[] gradient)
    {
        Weights(parameters, weights);
        Parallel.For(0, Parts, options, EvaluatePart);
        var penalised = features.Columns * stride;
        var squares = 0.0;
        for (var i = gradient.Length - 1; i >= 0; i--)
        {
            var sum = 0.0;
            foreach (var part in gradients) sum += part[i];
            if (i < penalised)
            {
                // Intercepts come first, in units of the mean cell's.
                sum += (weights[i] / c) - (means[i / stride] * (gradient[penalised + (i % stride)] / scales[^1]));
                squares += weights[i] * weights[i];
            }
            gradient[i] = sum * scales[i / stride];
        }
        return losses.Sum() + (squares / (2 * c));
    }

    public double LargestSlope(double[] gradient)
    {
        var (largest, penalised) = (0.0, features.Columns * stride);
        for (var i = 0; i < gradient.Length; i++)
        {
            var slope = gradient[i] / scales[i / stride];
            if (i < penalised) slope += means[i / stride] * (gradient[penalised + (i % stride)] / scales[^1]);
            largest = Math.Max(largest, Math.Abs(slope));
        }
        return largest;
    }

    /// <summary>From what is minimised over to weights.</summary>
    public void Weights(double[] parameters, double[] to)
    {
        for (var i = 0; i < to.Length; i++) to[i] = parameters[i] * scales[i / stride];
        Shift(to, to, -1);
    }

    /// <summary>From weights to what is minimised over.</summary>
    public double[] Parameters(double[] from)
    {
        var parameters = from.ToArray();
        Shift(parameters, from, 1);
        for (var i = 0; i < from.Length; i++) parameters[i] /= scales[i / stride];
        return parameters;
    }

    // The intercepts of the mean cell are those of an empty one and the mean's weights.
    private void Shift(double[] intercepts, double[] from, int sign)
    {
        var penalised = features.Columns * stride;
        for (var i = 0; i < penalised; i++) intercepts[penalised + (i % stride)] += sign * means[i / stride] * from[i];
    }

    /// <summary>Logits of a cell: [stride], the surplus 0.</summary>
    public static void Logits(double[] weights, int columns, ReadOnlySpan<ushort> positions, ReadOnlySpan<float> values, Span<double> logits)
    {
        unchecked
        {
            var stride = logits.Length;
            weights.AsSpan(columns * stride, stride).CopyTo(logits);
            ref var sums = ref MemoryMarshal.GetReference(logits);
            for (var i = 0; i < positions.Length; i++)
            {
                ref var row = ref weights[positions[i] * stride];
                var value = Vector256.Create((double)values[i]);
                for (var k = 0; k < stride; k += Lanes)
                {
                    ref var sum = ref Unsafe.Add(ref sums, k);
                    (Vector256.LoadUnsafe(ref sum) + (value * Vector256.LoadUnsafe(ref Unsafe.Add(ref row, k)))).StoreUnsafe(ref sum);
                }
            }
        }
    }

    private static (double[] Means, double[] Scales) Scales(SparseFeatures features, int types, double c)
    {
        var curvature = Math.Max(1.0 / types * (1 - (1.0 / types)), 1e-3);
        var (means, scales, cells) = (new double[features.Columns + 1], new double[features.Columns + 1], Math.Max(1, features.Rows));
        for (var row = 0; row < features.Rows; row++)
        {
            var positions = features.Positions(row);
            var values = features.Values(row);
            for (var i = 0; i < positions.Length; i++)
            {
                means[positions[i]] += (double)values[i] / cells;
                scales[positions[i]] += (double)values[i] * values[i];
            }
        }
        for (var feature = 0; feature < features.Columns; feature++)
        {
            var scatter = Math.Max(0, scales[feature] - (cells * means[feature] * means[feature]));
            scales[feature] = 1 / Math.Sqrt((curvature * scatter) + (1 / c));
        }
        scales[^1] = 1 / Math.Sqrt(curvature * cells);
        return (means, scales);
    }

    private void EvaluatePart(int part)
    {
        var gradient = gradients[part];
        Array.Clear(gradient);
        var loss = 0.0;
        Span<double> residuals = stride <= 512 ? stackalloc double[stride] : new double[stride];
        var (first, end) = ((int)((long)features.Rows * part / Parts), (int)((long)features.Rows * (part + 1) / Parts));
        for (var row = first; row < end; row++)
        {
            Logits(weights, features.Columns, features.Positions(row), features.Values(row), residuals);
            loss += Softmax(residuals[..types], labels[row]);
            AddGradient(gradient, row, residuals);
        }
        losses[part] = loss;
    }

    private void AddGradient(double[] gradient, int row, ReadOnlySpan<double> residuals)
    {
        unchecked
        {
            var positions = features.Positions(row);
            var values = features.Values(row);
            ref var differences = ref MemoryMarshal.GetReference(residuals);
            for (var i = 0; i < positions.Length; i++)
            {
                ref var to = ref gradient[positions[i] * stride];
                var value = Vector256.Create((double)values[i]);
                for (var k = 0; k < stride; k += Lanes)
                {
                    ref var sum = ref Unsafe.Add(ref to, k);
                    (Vector256.LoadUnsafe(ref sum) + (value * Vector256.LoadUnsafe(ref Unsafe.Add(ref differences, k)))).StoreUnsafe(ref sum);
                }
            }
            var intercepts = gradient.AsSpan(features.Columns * stride, types);
            for (var k = 0; k < intercepts.Length; k++) intercepts[k] += residuals[k];
        }
    }

    // Turns logits into p - y and returns -log p of the true type.
    private static double Softmax(Span<double> logits, int label)
    {
        var (largest, sum) = (double.NegativeInfinity, 0.0);
        foreach (var logit in logits) largest = Math.Max(largest, logit);
        var own = logits[label] - largest;
        for (var k = 0; k < logits.Length; k++) sum += logits[k] = Math.Exp(logits[k] - largest);
        for (var k = 0; k < logits.Length; k++) logits[k] /= sum;
        logits[label] -= 1;
        return Math.Log(sum) - own;
    }
}
