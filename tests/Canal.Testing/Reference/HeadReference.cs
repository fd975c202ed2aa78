using System.Numerics;

namespace Canal.Testing.Reference;

/// <summary>What follows the logits: distillation, the three best types, the energy, mixtures.</summary>
public static class HeadReference
{
    /// <summary>weight mean((z - previous)^2).</summary>
    public static T Distillation<T>(T[] z, T[] previous, double weight) where T : IFloatingPointIeee754<T>
    {
        var sum = T.Zero;
        for (var i = z.Length - 1; i >= 0; i--) sum += (z[i] - previous[i]) * (z[i] - previous[i]) * T.CreateChecked(weight / z.Length);
        return sum;
    }

    /// <summary>Its gradient with respect to z.</summary>
    public static T[] DistillationBackward<T>(T[] z, T[] previous, double weight) where T : IFloatingPointIeee754<T>
    {
        var dz = new T[z.Length];
        for (var i = 0; i < dz.Length; i++) dz[i] = T.CreateChecked(2 * weight / z.Length) * (z[i] - previous[i]);
        return dz;
    }

    /// <summary>Types [b, 3] by a full stable sort, their probabilities, and the energy by adding logarithms pairwise.</summary>
    public static (int[] Types, T[] Probabilities, T[] Energy) Predict<T>(T[] logits, int types, double temperature) where T : IFloatingPointIeee754<T>
    {
        var cells = logits.Length / types;
        var (best, probabilities, energy) = (new int[cells * 3], new T[cells * 3], new T[cells]);
        Array.Fill(best, -1);
        for (var b = 0; b < cells; b++)
        {
            var z = logits[(b * types)..((b + 1) * types)];
            var p = CrossEntropyReference.Softmax<T>(z);
            int[] order = [.. Enumerable.Range(0, types).OrderByDescending(k => z[k]).Take(3)];
            for (var place = 0; place < order.Length; place++)
            {
                best[(b * 3) + place] = order[place];
                probabilities[(b * 3) + place] = p[order[place]];
            }
            var t = T.CreateChecked(temperature);
            var log = z[0] / t;
            for (var k = 1; k < types; k++)
            {
                var other = z[k] / t;
                log = T.Max(log, other) + T.Log(T.One + T.Exp(-T.Abs(log - other)));
            }
            energy[b] = -t * log;
        }
        return (best, probabilities, energy);
    }

    /// <summary>mixed[b, j] = partner[b] + w[b, j] (own[b] - partner[b]).</summary>
    public static T[] Mix<T>(T[] own, T[] partner, T[] weights, int mixtures, int units) where T : IFloatingPointIeee754<T>
    {
        var mixed = new T[weights.Length * units];
        for (var i = 0; i < mixed.Length; i++)
        {
            var at = (i / (units * mixtures) * units) + (i % units);
            mixed[i] = partner[at] + (weights[i / units] * (own[at] - partner[at]));
        }
        return mixed;
    }
}
