using Canal.Engine.Operations;

namespace Canal.Benchmarks;

/// <summary>FAVOR+ in float64 by the textbook's quadratic route (method.md section 2), for the check before a timing: explicit features and attention weights.</summary>
internal sealed class FavorInFloat64(FavorSizes sizes, double[] projection)
{
    private readonly double scale = Math.Pow(sizes.HeadWidth, -0.25);

    /// <summary>Out, [B·T, H·D].</summary>
    public double[] Forward(double[] q, double[] k, double[] v)
    {
        var output = new double[q.Length];
        for (var cell = 0; cell < sizes.Cells; cell++)
        {
            var keys = Enumerable.Range(0, sizes.Heads).Select(head => Projected(k, cell, head)).ToArray();
            var maximum = keys.Max(head => head.Max(token => token.Max()));
            for (var head = 0; head < sizes.Heads; head++) Attend(output, q, k, v, keys[head], maximum, cell, head);
        }
        return output;
    }

    private void Attend(double[] output, double[] q, double[] k, double[] v, double[][] keys, double maximum, int cell, int head)
    {
        var queries = Projected(q, cell, head);
        for (var t = 0; t < sizes.Tokens; t++) Exponentiate(keys[t], k, Row(cell, t, head), maximum);
        for (var i = 0; i < sizes.Tokens; i++)
        {
            Exponentiate(queries[i], q, Row(cell, i, head), queries[i].Max());
            var weights = keys.Select(key => key.Zip(queries[i], (a, b) => a * b).Sum()).ToArray();
            var total = weights.Sum();
            for (var d = 0; d < sizes.HeadWidth; d++)
            {
                output[Row(cell, i, head) + d] = weights.Select((w, t) => w * v[Row(cell, t, head) + d]).Sum() / total;
            }
        }
    }

    private double[][] Projected(double[] x, int cell, int head) => [.. Enumerable.Range(0, sizes.Tokens).Select(t =>
    {
        var values = new double[sizes.Features];
        for (var j = 0; j < values.Length; j++)
        {
            for (var d = 0; d < sizes.HeadWidth; d++) values[j] += scale * projection[(j * sizes.HeadWidth) + d] * x[Row(cell, t, head) + d];
        }
        return values;
    })];

    private void Exponentiate(double[] features, double[] x, int row, double maximum)
    {
        var half = 0.0;
        for (var d = 0; d < sizes.HeadWidth; d++) half += 0.5 * scale * scale * x[row + d] * x[row + d];
        for (var j = 0; j < features.Length; j++) features[j] = Math.Exp(features[j] - half - maximum) + FavorSizes.FeatureMapEpsilon;
    }

    private int Row(int cell, int token, int head) => (((cell * sizes.Tokens) + token) * sizes.Heads * sizes.HeadWidth) + (head * sizes.HeadWidth);
}
