using System.Numerics;

namespace Canal.Testing.Reference;

/// <summary>Label-smoothed cross-entropy from explicit targets and probabilities; backward through the Jacobian of log softmax.</summary>
public static class CrossEntropyReference
{
    /// <summary>loss [n] = -sum_k target_k log p_k; 0 for a label outside the types.</summary>
    public static T[] Forward<T>(T[] logits, int[] labels, double smoothing) where T : IFloatingPointIeee754<T>
    {
        var types = logits.Length / labels.Length;
        var losses = new T[labels.Length];
        for (var n = 0; n < labels.Length; n++)
        {
            if (labels[n] < 0 || labels[n] >= types) continue;
            var z = logits.AsSpan(n * types, types);
            for (var k = 0; k < types; k++) losses[n] -= Target<T>(k, labels[n], types, smoothing) * LogProbability<T>(z, k);
        }
        return losses;
    }

    /// <summary>dlogits [n, k] = scale sum_j target_j (p_k - (1 if j = k)).</summary>
    public static T[] Backward<T>(T[] logits, int[] labels, double smoothing, double scale) where T : IFloatingPointIeee754<T>
    {
        var types = logits.Length / labels.Length;
        var gradient = new T[logits.Length];
        for (var n = 0; n < labels.Length; n++)
        {
            if (labels[n] < 0 || labels[n] >= types) continue;
            var p = Softmax(logits.AsSpan(n * types, types));
            for (var k = 0; k < types; k++)
            {
                for (var j = 0; j < types; j++)
                {
                    gradient[(n * types) + k] += T.CreateChecked(scale) * Target<T>(j, labels[n], types, smoothing) * (p[k] - (j == k ? T.One : T.Zero));
                }
            }
        }
        return gradient;
    }

    /// <summary>exp(z_k) / sum_j exp(z_j) as 1 / sum_j exp(z_j - z_k).</summary>
    public static T[] Softmax<T>(ReadOnlySpan<T> z) where T : IFloatingPointIeee754<T>
    {
        var p = new T[z.Length];
        for (var k = 0; k < p.Length; k++)
        {
            var sum = T.Zero;
            foreach (var other in z) sum += T.Exp(other - z[k]);
            p[k] = T.One / sum;
        }
        return p;
    }

    // log p_k = -log sum_j exp(z_j - z_k), which overflows where another logit is far above: its difference is taken out.
    private static T LogProbability<T>(ReadOnlySpan<T> z, int k) where T : IFloatingPointIeee754<T>
    {
        var (largest, sum) = (T.Zero, T.Zero);
        foreach (var other in z) largest = T.Max(largest, other - z[k]);
        foreach (var other in z) sum += T.Exp(other - z[k] - largest);
        return -(largest + T.Log(sum));
    }

    private static T Target<T>(int k, int label, int types, double smoothing) where T : IFloatingPointIeee754<T> =>
        T.CreateChecked((smoothing / types) + (k == label ? 1 - smoothing : 0));
}
