using System.Numerics;
using Canal.Engine.Operations;

namespace Canal.Testing;

/// <summary>One FAVOR+ problem: sizes and inputs, row-major as the operations take them.</summary>
/// <param name="Sizes">Sizes and the scope of the key maximum.</param>
/// <param name="Q">[B·T, H·D].</param>
/// <param name="K">[B·T, H·D].</param>
/// <param name="V">[B·T, H·D].</param>
/// <param name="Projection">[M, D].</param>
/// <param name="DOut">[B·T, H·D]: gradient of the loss at the output.</param>
public sealed record FavorProblem(FavorSizes Sizes, float[] Q, float[] K, float[] V, float[] Projection, float[] DOut);

/// <summary>Gradients of one FAVOR+ problem, [B·T, H·D] each, and the largest term that was summed into any of their elements.</summary>
public sealed record FavorGradients(double[] DQ, double[] DK, double[] DV)
{
    /// <summary>Largest |c G P| of a query.</summary>
    public double LargestTermOfQueries { get; internal set; }

    /// <summary>Largest |c G P| of a key.</summary>
    public double LargestTermOfKeys { get; internal set; }

    /// <summary>Largest |phi_k dS| of a value, dS = sum phi_q dO / (phi_q . z).</summary>
    public double LargestTermOfValues { get; internal set; }
}

/// <summary>
/// FAVOR+ in float64 by the textbook's quadratic route: explicit features (m^(-1/2) dropped, it cancels), explicit attention matrix,
/// gradients through the matrix, the features and both maxima by summing, without the centred form and its closed forms.
/// </summary>
public sealed class FavorReference
{
    private const double Epsilon = 1e-4;   // of the feature map, in double: Choromanski et al. 2021, reference code
    private readonly FavorSizes sizes;
    private readonly double[] q, k, v, projection;
    private readonly double c;

    /// <summary>Holds the problem in float64.</summary>
    public FavorReference(FavorProblem problem) : this(
        problem.Sizes, Widen(problem.Q), Widen(problem.K), Widen(problem.V), Widen(problem.Projection)) { }

    /// <summary>Holds float64 inputs, as central differences need them.</summary>
    public FavorReference(FavorSizes sizes, double[] q, double[] k, double[] v, double[] projection)
    {
        (this.sizes, this.q, this.k, this.v, this.projection) = (sizes, q, k, v, projection);
        c = Math.Pow(sizes.HeadWidth, -0.25);
        KeyMaximum = new double[sizes.Maxima];
        KeyMaximumAt = new int[sizes.Maxima * 4];
        Array.Fill(KeyMaximum, double.NegativeInfinity);
        for (var cell = 0; cell < sizes.Cells; cell++) FindKeyMaximum(cell);
    }

    /// <summary>[maxima]: M.</summary>
    public double[] KeyMaximum { get; }

    /// <summary>[maxima, 4]: cell, token, feature, head of M; lowest cell, then lowest (token, feature, head).</summary>
    public int[] KeyMaximumAt { get; }

    /// <summary>
    /// Largest |c P x| or c^2 |x|^2 / 2 met so far: rounded in float32, an exponent of this size is off by this times the unit roundoff,
    /// and so is, relatively, its exponential.
    /// </summary>
    public double LargestExponent { get; private set; } = 1;

    private int Width => sizes.Heads * sizes.HeadWidth;

    /// <summary>A float32 array in float64.</summary>
    public static double[] Widen(float[] values) => Array.ConvertAll(values, x => (double)x);

    /// <summary>The output, [B·T, H·D].</summary>
    public double[] Forward()
    {
        var output = new double[q.Length];
        for (var cell = 0; cell < sizes.Cells; cell++)
        {
            for (var head = 0; head < sizes.Heads; head++)
            {
                var weights = Attention(QueryFeatures(cell, head), KeyFeatures(cell, head), out _);
                Apply(output, weights, cell, head);
            }
        }
        return output;
    }

    /// <summary>Column sums of the attention matrices, weighted by head: [B, T].</summary>
    public double[] GeneAttention(float[] headWeights)
    {
        var scores = new double[sizes.Cells * sizes.Tokens];
        for (var cell = 0; cell < sizes.Cells; cell++)
        {
            for (var head = 0; head < sizes.Heads; head++)
            {
                var weights = Attention(QueryFeatures(cell, head), KeyFeatures(cell, head), out _);
                for (var i = 0; i < sizes.Tokens; i++)
                {
                    for (var j = 0; j < sizes.Tokens; j++) scores[(cell * sizes.Tokens) + j] += headWeights[head] * weights[(i * sizes.Tokens) + j];
                }
            }
        }
        return scores;
    }

    /// <summary>Gradients of sum(DOut · output), through both maxima unless <paramref name="detached"/>.</summary>
    public FavorGradients Backward(double[] dOut, bool detached = false)
    {
        var gradients = new FavorGradients(new double[q.Length], new double[q.Length], new double[q.Length]);
        var keySums = new double[sizes.Maxima];
        for (var cell = 0; cell < sizes.Cells; cell++)
        {
            for (var head = 0; head < sizes.Heads; head++) BackwardOfHead(dOut, gradients, keySums, cell, head, detached);
        }
        for (var maximum = 0; maximum < sizes.Maxima && !detached; maximum++)
        {
            var at = KeyMaximumAt.AsSpan(maximum * 4, 4);
            var row = gradients.DK.AsSpan(Row(at[0], at[1], at[3]), sizes.HeadWidth);
            for (var d = 0; d < row.Length; d++) row[d] -= c * keySums[maximum] * projection[(at[2] * sizes.HeadWidth) + d];
        }
        return gradients;
    }

    private void BackwardOfHead(double[] dOut, FavorGradients gradients, double[] keySums, int cell, int head, bool detached)
    {
        var (tokens, m, width) = (sizes.Tokens, sizes.Features, sizes.HeadWidth);
        var phiQ = QueryFeatures(cell, head);
        var phiK = KeyFeatures(cell, head);
        var weights = Attention(phiQ, phiK, out var rowSums);
        var output = new double[q.Length];
        Apply(output, weights, cell, head);
        var dPhiQ = new double[tokens * m];
        var dPhiK = new double[tokens * m];
        for (var i = 0; i < tokens; i++)
        {
            var dRow = dOut.AsSpan(Row(cell, i, head), width);
            var mean = Dot(dRow, output.AsSpan(Row(cell, i, head), width));
            for (var j = 0; j < tokens; j++)
            {
                AddScaled(gradients.DV.AsSpan(Row(cell, j, head), width), weights[(i * tokens) + j], dRow);
                var dWeight = (Dot(dRow, v.AsSpan(Row(cell, j, head), width)) - mean) / rowSums[i];
                AddScaled(dPhiQ.AsSpan(i * m, m), dWeight, phiK.AsSpan(j * m, m));
                AddScaled(dPhiK.AsSpan(j * m, m), dWeight, phiQ.AsSpan(i * m, m));
            }
        }
        gradients.LargestTermOfValues = Math.Max(gradients.LargestTermOfValues, LargestTerm(dOut, phiQ, phiK, rowSums, cell, head));
        for (var t = 0; t < tokens; t++)
        {
            var sumQ = ThroughExponential(gradients.DQ, q, dPhiQ.AsSpan(t * m, m), phiQ.AsSpan(t * m, m), Row(cell, t, head), out var largestQ);
            gradients.LargestTermOfQueries = Math.Max(gradients.LargestTermOfQueries, largestQ);
            if (!detached)
            {
                var best = ArgMaximum(q, Row(cell, t, head));
                AddScaled(gradients.DQ.AsSpan(Row(cell, t, head), width), -c * sumQ, projection.AsSpan(best * width, width));
            }
            keySums[sizes.Scope == KeyMaximumScope.Cell ? cell : 0] +=
                ThroughExponential(gradients.DK, k, dPhiK.AsSpan(t * m, m), phiK.AsSpan(t * m, m), Row(cell, t, head), out var largestK);
            gradients.LargestTermOfKeys = Math.Max(gradients.LargestTermOfKeys, largestK);
        }
    }

    private double LargestTerm(double[] dOut, double[] phiQ, double[] phiK, double[] rowSums, int cell, int head)
    {
        var (m, width) = (sizes.Features, sizes.HeadWidth);
        var dSums = new double[m * width];
        var largest = 0.0;
        for (var j = 0; j < m; j++)
        {
            var row = dSums.AsSpan(j * width, width);
            var phi = 0.0;
            for (var t = 0; t < sizes.Tokens; t++)
            {
                AddScaled(row, phiQ[(t * m) + j] / rowSums[t], dOut.AsSpan(Row(cell, t, head), width));
                phi = Math.Max(phi, phiK[(t * m) + j]);
            }
            foreach (var x in row) largest = Math.Max(largest, Math.Abs(phi * x));
        }
        return largest;
    }

    // dx = c P^T G - c^2 x sum G with G = dphi · (phi - eps); returns sum G.
    private double ThroughExponential(double[] dx, double[] x, ReadOnlySpan<double> dPhi, ReadOnlySpan<double> phi, int row, out double largest)
    {
        var width = sizes.HeadWidth;
        var sum = 0.0;
        largest = 0;
        for (var j = 0; j < dPhi.Length; j++)
        {
            var g = dPhi[j] * (phi[j] - Epsilon);
            sum += g;
            foreach (var p in projection.AsSpan(j * width, width)) largest = Math.Max(largest, Math.Abs(c * g * p));
            AddScaled(dx.AsSpan(row, width), c * g, projection.AsSpan(j * width, width));
        }
        AddScaled(dx.AsSpan(row, width), -c * c * sum, x.AsSpan(row, width));
        return sum;
    }

    private double[] Attention(double[] phiQ, double[] phiK, out double[] rowSums)
    {
        var (tokens, m) = (sizes.Tokens, sizes.Features);
        var weights = new double[tokens * tokens];
        rowSums = new double[tokens];
        for (var i = 0; i < tokens; i++)
        {
            var row = weights.AsSpan(i * tokens, tokens);
            for (var j = 0; j < tokens; j++)
            {
                row[j] = Dot(phiQ.AsSpan(i * m, m), phiK.AsSpan(j * m, m));
                rowSums[i] += row[j];
            }
            for (var j = 0; j < tokens; j++) row[j] /= rowSums[i];
        }
        return weights;
    }

    private void Apply(double[] output, double[] weights, int cell, int head)
    {
        for (var i = 0; i < sizes.Tokens; i++)
        {
            var row = output.AsSpan(Row(cell, i, head), sizes.HeadWidth);
            for (var j = 0; j < sizes.Tokens; j++) AddScaled(row, weights[(i * sizes.Tokens) + j], v.AsSpan(Row(cell, j, head), sizes.HeadWidth));
        }
    }

    private double[] QueryFeatures(int cell, int head)
    {
        var phi = new double[sizes.Tokens * sizes.Features];
        for (var t = 0; t < sizes.Tokens; t++)
        {
            var row = Row(cell, t, head);
            Features(phi.AsSpan(t * sizes.Features, sizes.Features), q, row, Projected(q, row, ArgMaximum(q, row)));
        }
        return phi;
    }

    private double[] KeyFeatures(int cell, int head)
    {
        var phi = new double[sizes.Tokens * sizes.Features];
        var maximum = KeyMaximum[sizes.Scope == KeyMaximumScope.Cell ? cell : 0];
        for (var t = 0; t < sizes.Tokens; t++) Features(phi.AsSpan(t * sizes.Features, sizes.Features), k, Row(cell, t, head), maximum);
        return phi;
    }

    private void Features(Span<double> phi, double[] x, int row, double maximum)
    {
        var values = x.AsSpan(row, sizes.HeadWidth);
        var half = c * c * Dot(values, values) / 2;
        LargestExponent = Math.Max(LargestExponent, half);
        for (var j = 0; j < phi.Length; j++)
        {
            var projected = Projected(x, row, j);
            LargestExponent = Math.Max(LargestExponent, Math.Abs(projected));
            phi[j] = Math.Exp(projected - half - maximum) + Epsilon;
        }
    }

    private void FindKeyMaximum(int cell)
    {
        var slot = sizes.Scope == KeyMaximumScope.Cell ? cell : 0;
        for (var t = 0; t < sizes.Tokens; t++)
        {
            for (var j = 0; j < sizes.Features; j++)
            {
                for (var head = 0; head < sizes.Heads; head++)
                {
                    var value = Projected(k, Row(cell, t, head), j);
                    if (!(value > KeyMaximum[slot])) continue;
                    KeyMaximum[slot] = value;
                    (KeyMaximumAt[slot * 4], KeyMaximumAt[(slot * 4) + 1]) = (cell, t);
                    (KeyMaximumAt[(slot * 4) + 2], KeyMaximumAt[(slot * 4) + 3]) = (j, head);
                }
            }
        }
    }

    private int ArgMaximum(double[] x, int row)
    {
        var best = 0;
        for (var j = 1; j < sizes.Features; j++)
        {
            if (Projected(x, row, j) > Projected(x, row, best)) best = j;
        }
        return best;
    }

    private double Projected(double[] x, int row, int feature) =>
        c * Dot(x.AsSpan(row, sizes.HeadWidth), projection.AsSpan(feature * sizes.HeadWidth, sizes.HeadWidth));

    private int Row(int cell, int token, int head) => (((cell * sizes.Tokens) + token) * Width) + (head * sizes.HeadWidth);

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        unchecked
        {
            var sums = Vector<double>.Zero;
            var i = 0;
            for (; i <= a.Length - Vector<double>.Count; i += Vector<double>.Count) sums += new Vector<double>(a[i..]) * new Vector<double>(b[i..]);
            var sum = Vector.Sum(sums);
            for (; i < a.Length; i++) sum += a[i] * b[i];
            return sum;
        }
    }

    private static void AddScaled(Span<double> y, double factor, ReadOnlySpan<double> x)
    {
        unchecked
        {
            var i = 0;
            for (; i <= y.Length - Vector<double>.Count; i += Vector<double>.Count)
            {
                (new Vector<double>(y[i..]) + (factor * new Vector<double>(x[i..]))).CopyTo(y[i..]);
            }
            for (; i < y.Length; i++) y[i] += factor * x[i];
        }
    }
}
