using System.Numerics;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;

namespace Canal.Testing;

/// <summary>
/// The centred form of FAVOR+ with operands of products rounded to half precision and float32 sums, loop by loop: the plain implementation whose
/// error sets the tolerance of the tensor-core kernels (style R26). No tiles, splits, running references or second parts of numbers.
/// Halves are rounded at the scale where the kernels hold them: features about their row's largest, S' and dS about their head's.
/// </summary>
public sealed class FavorInHalf
{
    private const float Epsilon = FavorSizes.FeatureMapEpsilon, Log2E = 1.442695041f, Ln2 = 0.693147181f;
    private readonly FavorProblem problem;
    private readonly FavorSizes sizes;
    private readonly DType type;
    private readonly float c;
    private readonly float[] projection;

    /// <summary>Computes outputs and gradients of a problem whose q, k, v and dO are of the type already; the key maximum a cell.</summary>
    public FavorInHalf(FavorProblem problem, DType type)
    {
        (this.problem, sizes, this.type) = (problem, problem.Sizes, type);
        c = (float)Math.Pow(sizes.HeadWidth, -0.25);
        projection = Rounding.To(type, Array.ConvertAll(problem.Projection, p => c * Log2E * p));
        var count = problem.Q.Length;
        (Out, DQ, DK, DV) = (new float[count], new float[count], new float[count], new float[count]);
        (KeyMaximum, KeyMaximumAt) = (new float[sizes.Cells], new int[sizes.Cells * 4]);
        for (var cell = 0; cell < sizes.Cells; cell++) Cell(cell);
        (Out, DQ, DK, DV) = (Rounding.To(type, Out), Rounding.To(type, DQ), Rounding.To(type, DK), Rounding.To(type, DV));
    }

    /// <summary>Unit roundoff of a type.</summary>
    public static double Roundoff(DType type) => type == DType.Float16 ? 1.0 / 2048 : 1.0 / 256;

    /// <summary>[B·T, H·D].</summary>
    public float[] Out { get; }

    /// <summary>[B·T, H·D].</summary>
    public float[] DQ { get; }

    /// <summary>[B·T, H·D].</summary>
    public float[] DK { get; }

    /// <summary>[B·T, H·D].</summary>
    public float[] DV { get; }

    /// <summary>[B]: M.</summary>
    public float[] KeyMaximum { get; }

    /// <summary>[B, 4]: cell, token, feature, head of M.</summary>
    public int[] KeyMaximumAt { get; }

    private int Tokens => sizes.Tokens;

    private int Features => sizes.Features;

    private int Width => sizes.HeadWidth;

    private void Cell(int cell)
    {
        var maximum = float.NegativeInfinity;
        var at = (Token: 0, Feature: 0, Head: 0);
        var logits = new float[sizes.Heads][];
        for (var head = 0; head < sizes.Heads; head++) logits[head] = Logits(problem.K, cell, head);
        for (var t = 0; t < Tokens; t++)
        {
            for (var j = 0; j < Features; j++)
            {
                for (var head = 0; head < sizes.Heads; head++)
                {
                    if (logits[head][(t * Features) + j] > maximum) (maximum, at) = (logits[head][(t * Features) + j], (t, j, head));
                }
            }
        }
        KeyMaximum[cell] = maximum * Ln2;
        int[] place = [cell, at.Token, at.Feature, at.Head];
        place.CopyTo(KeyMaximumAt, cell * 4);
        var gradient = 0f;
        for (var head = 0; head < sizes.Heads; head++) gradient -= Epsilon * Tokens * Head(cell, head, logits[head], maximum);
        for (var d = 0; d < Width; d++) DK[Row(cell, at.Token, at.Head) + d] -= Ln2 * gradient * projection[(at.Feature * Width) + d];
    }

    // Everything of one head; returns the sum of dz.
    private float Head(int cell, int head, float[] keyLogits, float maximum)
    {
        var halfNorms = HalfNorms(problem.K, cell, head);
        var exponents = new float[Tokens * Features];
        for (var i = 0; i < exponents.Length; i++) exponents[i] = keyLogits[i] - halfNorms[i / Features];
        var (a, s) = SumsOverTokens(exponents, t => problem.V.AsSpan(Row(cell, t, head), Width), _ => 1);
        var v0 = new float[Width];
        for (var t = 0; t < Tokens; t++) AddScaled(v0, 1, problem.V.AsSpan(Row(cell, t, head), Width));
        for (var d = 0; d < Width; d++) v0[d] /= Tokens;
        var z = new float[Features];
        for (var j = 0; j < Features; j++)
        {
            // Sums were kept about the row's largest exponent; s.Reference brings them to M.
            var scale = MathF.Pow(2, s[j].Reference - maximum) / Tokens;
            z[j] = (scale * s[j].Sum) + Epsilon;
            for (var d = 0; d < Width; d++) a[(j * Width) + d] = scale * (a[(j * Width) + d] - (s[j].Sum * v0[d]));
        }
        var (dS, dz) = Queries(cell, head, a, z, v0);
        Keys(cell, head, keyLogits, halfNorms, maximum, v0, dS, dz);
        return dz.Sum();
    }

    // Of the exponents [tokens, features] and rows of values: sums of weighted values and of weighted numbers, about the largest exponent of each feature.
    private (float[] Sums, (float Sum, float Reference)[] Weights) SumsOverTokens(float[] exponents, RowOf values, Func<int, float> numbers)
    {
        var sums = new float[Features * Width];
        var weights = new (float Sum, float Reference)[Features];
        for (var j = 0; j < Features; j++)
        {
            var reference = float.NegativeInfinity;
            for (var t = 0; t < Tokens; t++) reference = MathF.Max(reference, exponents[(t * Features) + j]);
            var sum = 0f;
            for (var t = 0; t < Tokens; t++)
            {
                var u = Round(PowerOfTwo(exponents[(t * Features) + j] - reference));
                sum += u * numbers(t);
                AddScaled(sums.AsSpan(j * Width, Width), u, values(t));
            }
            weights[j] = (sum, reference);
        }
        return (sums, weights);
    }

    private (float[] DS, float[] Dz) Queries(int cell, int head, float[] sums, float[] z, float[] v0)
    {
        var logits = Logits(problem.Q, cell, head);
        var halfNorms = HalfNorms(problem.Q, cell, head);
        var rounded = RoundAbout(sums, 12);
        var total = new float[Width];
        for (var j = 0; j < Features; j++) AddScaled(total, 1, sums.AsSpan(j * Width, Width));
        var totalZ = z.Sum();
        var exponents = new float[Tokens * Features];
        var (inverses, deviations) = (new float[Tokens], new float[Tokens]);
        var (w, products, numerator) = (new float[Features], new float[Features], new float[Width]);
        for (var t = 0; t < Tokens; t++)
        {
            var row = Row(cell, t, head);
            var dOut = problem.DOut.AsSpan(row, Width);
            var dq = DQ.AsSpan(row, Width);
            var best = 0;
            for (var j = 1; j < Features; j++) best = logits[(t * Features) + j] > logits[(t * Features) + best] ? j : best;
            var (top, f) = (logits[(t * Features) + best], PowerOfTwo(-halfNorms[t]));
            var (forward, den, dev) = (0f, 0f, 0f);
            Array.Clear(numerator);
            for (var j = 0; j < Features; j++)
            {
                w[j] = PowerOfTwo(logits[(t * Features) + j] - top);
                var u = Round(w[j]);
                AddScaled(numerator, u, rounded.AsSpan(j * Width, Width));
                forward += u * z[j];
                products[j] = Dot(rounded.AsSpan(j * Width, Width), dOut);
                den += w[j] * z[j];
                dev += w[j] * products[j];
            }
            for (var d = 0; d < Width; d++) Out[row + d] = v0[d] + (((f * numerator[d]) + (Epsilon * total[d])) / ((f * forward) + (Epsilon * totalZ)));

            var outside = Dot(total, dOut);
            var inverse = 1 / ((f * den) + (Epsilon * totalZ));
            dev = ((f * dev) + (Epsilon * outside)) * inverse;
            var g = -Epsilon * (outside - (totalZ * dev)) * inverse;
            var largest = 0f;
            for (var j = 0; j < Features; j++) largest = MathF.Max(largest, MathF.Abs(w[j] * (products[j] - (z[j] * dev))));
            var up = ScaleTo(8, largest);
            for (var j = 0; j < Features; j++)
            {
                var gradient = Round(up * w[j] * (products[j] - (z[j] * dev))) / up;
                AddScaled(dq, Ln2 * f * inverse * gradient, projection.AsSpan(j * Width, Width));
                exponents[(t * Features) + j] = logits[(t * Features) + j] - top - halfNorms[t] + MathF.Log2(inverse);
            }
            for (var d = 0; d < Width; d++) dq[d] -= g * ((Ln2 * projection[(best * Width) + d]) + (c * c * problem.Q[row + d]));
            (inverses[t], deviations[t]) = (inverse, dev);
        }
        var (dS, s) = SumsOverTokens(exponents, t => problem.DOut.AsSpan(Row(cell, t, head), Width), t => deviations[t]);
        var own = new float[Width];
        var ownDeviation = 0f;
        for (var t = 0; t < Tokens; t++)
        {
            AddScaled(own, inverses[t], problem.DOut.AsSpan(Row(cell, t, head), Width));
            ownDeviation += inverses[t] * deviations[t];
        }
        var dz = new float[Features];
        for (var j = 0; j < Features; j++)
        {
            var scale = MathF.Pow(2, s[j].Reference);
            dz[j] = -((scale * s[j].Sum) + (Epsilon * ownDeviation)) / Tokens;
            for (var d = 0; d < Width; d++) dS[(j * Width) + d] = ((scale * dS[(j * Width) + d]) + (Epsilon * own[d])) / Tokens;
        }
        return (dS, dz);
    }

    private void Keys(int cell, int head, float[] logits, float[] halfNorms, float maximum, float[] v0, float[] dS, float[] dz)
    {
        var rounded = RoundAbout(dS, 0);
        var total = new float[Width];
        for (var j = 0; j < Features; j++) AddScaled(total, 1, dS.AsSpan(j * Width, Width));
        var (centred, gradients) = (new float[Width], new float[Features]);
        for (var t = 0; t < Tokens; t++)
        {
            var row = Row(cell, t, head);
            var dk = DK.AsSpan(row, Width);
            var dv = DV.AsSpan(row, Width);
            for (var d = 0; d < Width; d++) centred[d] = Round(problem.V[row + d] - v0[d]);
            var top = float.NegativeInfinity;
            for (var j = 0; j < Features; j++) top = MathF.Max(top, logits[(t * Features) + j]);
            var factor = PowerOfTwo(top - halfNorms[t] - maximum);
            var (sum, largest) = (0f, 0f);
            for (var j = 0; j < Features; j++)
            {
                var u = PowerOfTwo(logits[(t * Features) + j] - top);
                gradients[j] = u * (Dot(rounded.AsSpan(j * Width, Width), centred) + dz[j]);
                sum += gradients[j];
                largest = MathF.Max(largest, MathF.Abs(gradients[j]));
                AddScaled(dv, factor * Round(u), rounded.AsSpan(j * Width, Width));
            }
            var up = ScaleTo(0, largest);
            for (var j = 0; j < Features; j++) AddScaled(dk, Ln2 * factor * Round(up * gradients[j]) / up, projection.AsSpan(j * Width, Width));
            for (var d = 0; d < Width; d++)
            {
                dk[d] -= c * c * problem.K[row + d] * factor * sum;
                dv[d] += Epsilon * total[d];
            }
        }
    }

    private float[] Logits(float[] x, int cell, int head)
    {
        var logits = new float[Tokens * Features];
        for (var i = 0; i < logits.Length; i++) logits[i] = Dot(x.AsSpan(Row(cell, i / Features, head), Width), projection.AsSpan(i % Features * Width, Width));
        return logits;
    }

    private float[] HalfNorms(float[] x, int cell, int head)
    {
        var norms = new float[Tokens];
        for (var t = 0; t < Tokens; t++)
        {
            var row = x.AsSpan(Row(cell, t, head), Width);
            norms[t] = c * c * Log2E / 2 * Dot(row, row);
        }
        return norms;
    }

    private int Row(int cell, int token, int head) => (((cell * Tokens) + token) * sizes.Heads * Width) + (head * Width);

    private float Round(float x) => Rounding.To(type, x);

    private float[] RoundAbout(float[] values, int target)
    {
        var up = ScaleTo(target, values.Max(MathF.Abs));
        return Array.ConvertAll(values, x => Round(x * up) / up);
    }

    // The power of two that brings a number near 2^target.
    private static float ScaleTo(int target, float largest) => largest > 0 && float.IsFinite(largest) ? MathF.Pow(2, target - Math.Clamp(MathF.ILogB(largest), -100, 100)) : 1;

    private static float PowerOfTwo(float exponent) => MathF.Pow(2, exponent);

    private delegate ReadOnlySpan<float> RowOf(int token);

    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sums = Vector<float>.Zero;
        var i = 0;
        for (; i <= a.Length - Vector<float>.Count; i += Vector<float>.Count) sums += new Vector<float>(a[i..]) * new Vector<float>(b[i..]);
        var sum = Vector.Sum(sums);
        for (; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    private static void AddScaled(Span<float> y, float factor, ReadOnlySpan<float> x)
    {
        var i = 0;
        for (; i <= y.Length - Vector<float>.Count; i += Vector<float>.Count) (new Vector<float>(y[i..]) + (factor * new Vector<float>(x[i..]))).CopyTo(y[i..]);
        for (; i < y.Length; i++) y[i] += factor * x[i];
    }
}
