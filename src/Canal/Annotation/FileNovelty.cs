using Canal.Engine.Random;

namespace Canal.Annotation;

/// <summary>The last two layers of the head, for mixtures of manifold vectors.</summary>
/// <param name="Weight2">[R, M]: F2.</param>
/// <param name="Bias2">[R].</param>
/// <param name="Weight3">[K, R]: F3.</param>
/// <param name="Bias3">[K].</param>
public sealed record HeadLayers(float[] Weight2, float[] Bias2, float[] Weight3, float[] Bias3);

/// <summary>What CANAL's published rule says of a file.</summary>
/// <param name="Scores">[cells]: ( minmax(E) + 1 - confidence ) / 2, minmax over the file.</param>
/// <param name="Threshold">A cell is novel above it.</param>
public sealed record FileNoveltyResult(double[] Scores, double Threshold)
{
    // One unit of the logistic; the rule itself has no scale.
    private const double Scale = 0.05;

    /// <summary>Whether a cell is novel.</summary>
    public bool IsNovel(int cell) => Scores[cell] > Threshold;

    /// <summary>The score that is written: above 0.5 is novel.</summary>
    public double Written(int cell) => 1 / (1 + Math.Exp((Threshold - Scores[cell]) / Scale));
}

/// <summary>
/// CANAL's published rule (Wan et al. 2024; method.md section 5): every cell's manifold vector is mixed 128 times with that of one random
/// cell, and the threshold is ( mean(1 - minmax(E_mix)) + mean(confidence_mix) ) / 2. The verdict on a cell depends on the file it is in.
/// </summary>
public static class FileNovelty
{
    /// <summary>Mixtures a cell.</summary>
    public const int Mixtures = 128;

    /// <summary>Scores a file.</summary>
    /// <param name="logits">[cells, K].</param>
    /// <param name="manifolds">[cells, M].</param>
    /// <param name="head">The last two layers.</param>
    /// <param name="temperature">T of the energy.</param>
    /// <param name="seed">Seed of the partners and weights.</param>
    public static FileNoveltyResult Score(float[] logits, float[] manifolds, HeadLayers head, double temperature, ulong seed)
    {
        var cells = logits.Length / head.Bias3.Length;
        return Score(logits, manifolds, head, temperature, Mixtures, (cell, weights) =>
        {
            var draws = new RandomSequence(seed, RandomPurpose.NoveltyMixing, index: cell);
            var partner = draws.NextInt(cells);
            for (var j = 0; j < weights.Length; j++) weights[j] = draws.NextDouble(); // Beta(1, 1)
            return partner;
        });
    }

    /// <summary>Scores a file with given draws: a partner a cell, and weights [cells, mixtures] of the cell itself.</summary>
    public static FileNoveltyResult Score(float[] logits, float[] manifolds, HeadLayers head, double temperature, int[] partners, double[] weights)
    {
        var mixtures = partners.Length == 0 ? 0 : weights.Length / partners.Length;
        return Score(logits, manifolds, head, temperature, mixtures, (cell, own) =>
        {
            weights.AsSpan(cell * mixtures, mixtures).CopyTo(own);
            return partners[cell];
        });
    }

    // Fills the weights of a cell's mixtures, says its partner.
    private delegate int Draw(int cell, Span<double> weights);

    private static FileNoveltyResult Score(float[] logits, float[] manifolds, HeadLayers head, double temperature, int mixtures, Draw draw)
    {
        var types = head.Bias3.Length;
        var cells = logits.Length / types;
        if (cells == 0) return new FileNoveltyResult([], 0);
        var own = new Certainty[cells];
        for (var cell = 0; cell < cells; cell++) own[cell] = Certainty.Of(logits.AsSpan(cell * types, types), temperature);
        var (lowest, highest) = (own.Min(c => c.Energy), own.Max(c => c.Energy));
        var scores = Array.ConvertAll(own, c => c.Novelty(lowest, highest));
        return new FileNoveltyResult(scores, Threshold(manifolds, head, temperature, cells, mixtures, draw));
    }

    // F2 is linear before its relu, so it is applied to the cells and its outputs are mixed: 64 products a mixture instead of 8,192.
    // ( mean(1 - minmax(E)) + mean(confidence) ) / 2 takes the range and the sums alone: no mixture is kept. Energies are summed as distances
    // from the first, so that rounding stays small beside their range where cells are nearly alike.
    private static double Threshold(float[] manifolds, HeadLayers head, double temperature, int cells, int mixtures, Draw draw)
    {
        var (width, types) = (head.Bias2.Length, head.Bias3.Length);
        var inner = Inner(manifolds, head, cells);
        var (representation, logits, weights) = (new double[width], new double[types], new double[mixtures]);
        double? first = null;
        var (lowest, highest, distances, confidences) = (0.0, 0.0, 0.0, 0.0);
        for (var cell = 0; cell < cells; cell++)
        {
            var partner = draw(cell, weights);
            var self = inner.AsSpan(cell * width, width);
            var other = inner.AsSpan(partner * width, width);
            foreach (var weight in weights)
            {
                for (var r = 0; r < width; r++) representation[r] = Math.Max(0, (weight * self[r]) + ((1 - weight) * other[r]) + head.Bias2[r]);
                for (var k = 0; k < types; k++)
                {
                    var sum = (double)head.Bias3[k];
                    for (var r = 0; r < width; r++) sum += head.Weight3[(k * width) + r] * representation[r];
                    logits[k] = sum;
                }
                var mixed = Certainty.Of(logits, temperature);
                var distance = mixed.Energy - (first ??= mixed.Energy);
                (lowest, highest) = (Math.Min(lowest, distance), Math.Max(highest, distance));
                (distances, confidences) = (distances + distance, confidences + mixed.Confidence);
            }
        }
        var count = (double)cells * mixtures;
        return (1 - Certainty.MinMax(distances / count, lowest, highest) + (confidences / count)) / 2;
    }

    private static double[] Inner(float[] manifolds, HeadLayers head, int cells)
    {
        var (width, manifold) = (head.Bias2.Length, manifolds.Length / cells);
        var inner = new double[cells * width];
        for (var cell = 0; cell < cells; cell++)
        {
            for (var r = 0; r < width; r++)
            {
                var sum = 0.0;
                for (var m = 0; m < manifold; m++) sum += (double)head.Weight2[(r * manifold) + m] * manifolds[(cell * manifold) + m];
                inner[(cell * width) + r] = sum;
            }
        }
        return inner;
    }
}
