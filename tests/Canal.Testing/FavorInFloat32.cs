using Canal.Engine.Operations;

namespace Canal.Testing;

/// <summary>
/// The centred form of method.md section 2 in float32, loop by loop: the plain implementation in the kernel's arithmetic whose error
/// sets the kernel's tolerance (style.md R26). No tiles, splits, running references or fused multiply-adds.
/// </summary>
public sealed class FavorInFloat32
{
    private const float Epsilon = FavorSizes.FeatureMapEpsilon;
    private readonly FavorProblem problem;
    private readonly FavorSizes sizes;
    private readonly float c;
    private readonly float[] maximum;
    private readonly int[] maximumAt;

    /// <summary>Computes outputs and gradients.</summary>
    public FavorInFloat32(FavorProblem problem)
    {
        (this.problem, sizes) = (problem, problem.Sizes);
        c = (float)Math.Pow(sizes.HeadWidth, -0.25);
        maximum = new float[sizes.Maxima];
        maximumAt = new int[sizes.Maxima * 3];
        Array.Fill(maximum, float.NegativeInfinity);
        for (var cell = 0; cell < sizes.Cells; cell++) FindMaximum(cell);
        var count = problem.Q.Length;
        (Out, DQ, DK, DV) = (new float[count], new float[count], new float[count], new float[count]);
        var keyGradient = new float[sizes.Maxima];
        for (var cell = 0; cell < sizes.Cells; cell++)
        {
            for (var head = 0; head < sizes.Heads; head++) keyGradient[Slot(cell)] += Head(cell, head);
        }
        for (var slot = 0; slot < sizes.Maxima; slot++)
        {
            var row = maximumAt[slot * 3];
            var feature = maximumAt[(slot * 3) + 1];
            for (var d = 0; d < sizes.HeadWidth; d++) DK[row + d] -= c * keyGradient[slot] * P(feature, d);
        }
    }

    /// <summary>[B·T, H·D].</summary>
    public float[] Out { get; }

    /// <summary>[B·T, H·D].</summary>
    public float[] DQ { get; }

    /// <summary>[B·T, H·D].</summary>
    public float[] DK { get; }

    /// <summary>[B·T, H·D].</summary>
    public float[] DV { get; }

    private int Slot(int cell) => sizes.Scope == KeyMaximumScope.Cell ? cell : 0;

    private int Row(int cell, int token, int head) => (((cell * sizes.Tokens) + token) * sizes.Heads * sizes.HeadWidth) + (head * sizes.HeadWidth);

    private float P(int feature, int d) => problem.Projection[(feature * sizes.HeadWidth) + d];

    private float Projected(float[] x, int row, int feature)
    {
        var sum = 0f;
        for (var d = 0; d < sizes.HeadWidth; d++) sum += x[row + d] * P(feature, d);
        return c * sum;
    }

    private float Half(float[] x, int row)
    {
        var sum = 0f;
        for (var d = 0; d < sizes.HeadWidth; d++) sum += x[row + d] * x[row + d];
        return c * c * sum / 2;
    }

    private void FindMaximum(int cell)
    {
        for (var t = 0; t < sizes.Tokens; t++)
        {
            for (var j = 0; j < sizes.Features; j++)
            {
                for (var head = 0; head < sizes.Heads; head++)
                {
                    var value = Projected(problem.K, Row(cell, t, head), j);
                    if (!(value > maximum[Slot(cell)])) continue;
                    maximum[Slot(cell)] = value;
                    maximumAt[Slot(cell) * 3] = Row(cell, t, head);
                    maximumAt[(Slot(cell) * 3) + 1] = j;
                }
            }
        }
    }

    // Everything of one head; returns its share of g of the key maximum.
    private float Head(int cell, int head)
    {
        var (n, m, width) = (sizes.Tokens, sizes.Features, sizes.HeadWidth);
        var u = new float[n * m];
        var s = new float[m];
        var sums = new float[m * width];
        var v0 = new float[width];
        for (var t = 0; t < n; t++)
        {
            var row = Row(cell, t, head);
            var half = Half(problem.K, row);
            for (var d = 0; d < width; d++) v0[d] += problem.V[row + d];
            for (var j = 0; j < m; j++)
            {
                u[(t * m) + j] = MathF.Exp(Projected(problem.K, row, j) - half - maximum[Slot(cell)]);
                s[j] += u[(t * m) + j];
                for (var d = 0; d < width; d++) sums[(j * width) + d] += u[(t * m) + j] * problem.V[row + d];
            }
        }
        for (var d = 0; d < width; d++) v0[d] /= n;
        var sumOfSums = new float[width];
        var z = new float[m];
        var sumOfZ = 0f;
        for (var j = 0; j < m; j++)
        {
            z[j] = s[j] + (Epsilon * n);
            sumOfZ += z[j];
            for (var d = 0; d < width; d++)
            {
                sums[(j * width) + d] -= s[j] * v0[d];
                sumOfSums[d] += sums[(j * width) + d];
            }
        }
        return Backward(cell, head, u, sums, z, v0, sumOfSums, sumOfZ);
    }

    private float Backward(int cell, int head, float[] u, float[] sums, float[] z, float[] v0, float[] sumOfSums, float sumOfZ)
    {
        var (n, m, width) = (sizes.Tokens, sizes.Features, sizes.HeadWidth);
        var dSums = new float[m * width];
        var dz = new float[m];
        var dNumTotal = new float[width];
        var dDenTotal = 0f;
        var w = new float[m];
        var dNum = new float[width];
        for (var t = 0; t < n; t++)
        {
            var row = Row(cell, t, head);
            var best = 0;
            for (var j = 0; j < m; j++)
            {
                w[j] = Projected(problem.Q, row, j);
                if (w[j] > w[best]) best = j;
            }
            var (half, rowMaximum) = (Half(problem.Q, row), w[best]);
            var den = 0f;
            for (var j = 0; j < m; j++)
            {
                w[j] = MathF.Exp(w[j] - half - rowMaximum);
                den += w[j] * z[j];
            }
            den += Epsilon * sumOfZ;
            var dDen = 0f;
            var g = 0f;
            for (var d = 0; d < width; d++)
            {
                var centred = 0f;
                for (var j = 0; j < m; j++) centred += w[j] * sums[(j * width) + d];
                centred = (centred + (Epsilon * sumOfSums[d])) / den;
                Out[row + d] = v0[d] + centred;
                dNum[d] = problem.DOut[row + d] / den;
                dNumTotal[d] += dNum[d];
                dDen -= problem.DOut[row + d] * centred;
                g += sumOfSums[d] * dNum[d];
            }
            dDen /= den;
            dDenTotal += dDen;
            g = -Epsilon * (g + (sumOfZ * dDen));
            for (var j = 0; j < m; j++)
            {
                var product = 0f;
                for (var d = 0; d < width; d++)
                {
                    product += sums[(j * width) + d] * dNum[d];
                    dSums[(j * width) + d] += w[j] * dNum[d];
                }
                dz[j] += w[j] * dDen;
                var db = (w[j] * (product + (z[j] * dDen))) - (j == best ? g : 0f);
                for (var d = 0; d < width; d++) DQ[row + d] += c * db * P(j, d);
            }
            for (var d = 0; d < width; d++) DQ[row + d] -= c * c * problem.Q[row + d] * g;
        }
        var dzTotal = 0f;
        var dSumsTotal = new float[width];
        for (var j = 0; j < m; j++)
        {
            dz[j] += Epsilon * dDenTotal;
            dzTotal += dz[j];
            for (var d = 0; d < width; d++)
            {
                dSums[(j * width) + d] += Epsilon * dNumTotal[d];
                dSumsTotal[d] += dSums[(j * width) + d];
            }
        }
        for (var t = 0; t < n; t++)
        {
            var row = Row(cell, t, head);
            var total = 0f;
            for (var j = 0; j < m; j++)
            {
                var product = dz[j];
                for (var d = 0; d < width; d++) product += dSums[(j * width) + d] * (problem.V[row + d] - v0[d]);
                var g = u[(t * m) + j] * product;
                total += g;
                for (var d = 0; d < width; d++)
                {
                    DK[row + d] += c * g * P(j, d);
                    DV[row + d] += u[(t * m) + j] * dSums[(j * width) + d];
                }
            }
            for (var d = 0; d < width; d++)
            {
                DK[row + d] -= c * c * problem.K[row + d] * total;
                DV[row + d] += Epsilon * dSumsTotal[d];
            }
        }
        return -Epsilon * n * dzTotal;
    }
}
