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
        var (partners, weights) = (new int[cells], new double[cells * Mixtures]);
        for (var cell = 0; cell < cells; cell++)
        {
            var draws = new RandomSequence(seed, RandomPurpose.NoveltyMixing, index: cell);
            partners[cell] = draws.NextInt(cells);
            for (var j = 0; j < Mixtures; j++) weights[(cell * Mixtures) + j] = draws.NextDouble(); // Beta(1, 1)
        }
        return Score(logits, manifolds, head, temperature, partners, weights);
    }

    /// <summary>Scores a file with given draws: a partner a cell, and weights [cells, mixtures] of the cell itself.</summary>
    public static FileNoveltyResult Score(float[] logits, float[] manifolds, HeadLayers head, double temperature, int[] partners, double[] weights)
    {
        var types = head.Bias3.Length;
        var cells = logits.Length / types;
        if (cells == 0) return new FileNoveltyResult([], 0);
        var own = Enumerable.Range(0, cells).Select(cell => Certainty.Of(logits.AsSpan(cell * types, types), temperature)).ToArray();
        var (lowest, highest) = (own.Min(c => c.Energy), own.Max(c => c.Energy));
        var scores = Array.ConvertAll(own, c => c.Novelty(lowest, highest));
        return new FileNoveltyResult(scores, Threshold(Mix(manifolds, head, temperature, partners, weights)));
    }

    private static double Threshold(Certainty[] mixed)
    {
        var (lowest, highest) = (mixed.Min(c => c.Energy), mixed.Max(c => c.Energy));
        return (mixed.Average(c => 1 - Certainty.MinMax(c.Energy, lowest, highest)) + mixed.Average(c => c.Confidence)) / 2;
    }

    // F2 is linear before its relu, so it is applied to the cells and its outputs are mixed: 64 products a mixture instead of 8,192.
    private static Certainty[] Mix(float[] manifolds, HeadLayers head, double temperature, int[] partners, double[] weights)
    {
        var (width, types, cells) = (head.Bias2.Length, head.Bias3.Length, partners.Length);
        var mixtures = weights.Length / cells;
        var inner = Inner(manifolds, head, cells);
        var mixed = new Certainty[weights.Length];
        var (representation, logits) = (new double[width], new double[types]);
        for (var i = 0; i < weights.Length; i++)
        {
            var (self, other, weight) = (i / mixtures * width, partners[i / mixtures] * width, weights[i]);
            for (var r = 0; r < width; r++)
            {
                representation[r] = Math.Max(0, (weight * inner[self + r]) + ((1 - weight) * inner[other + r]) + head.Bias2[r]);
            }
            for (var k = 0; k < types; k++)
            {
                var sum = (double)head.Bias3[k];
                for (var r = 0; r < width; r++) sum += head.Weight3[(k * width) + r] * representation[r];
                logits[k] = sum;
            }
            mixed[i] = Certainty.Of(logits, temperature);
        }
        return mixed;
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
