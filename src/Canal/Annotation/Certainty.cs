namespace Canal.Annotation;

/// <summary>How sure logits are of one type, in float64 (method.md section 5).</summary>
/// <param name="Type">The type with the largest logit; ties to the lower index.</param>
/// <param name="Confidence">Its probability.</param>
/// <param name="Energy">E = -T log sum_k exp(logit_k / T).</param>
public readonly record struct Certainty(int Type, double Confidence, double Energy)
{
    /// <summary>Of one cell.</summary>
    /// <param name="logits">[K], K at least 1.</param>
    /// <param name="temperature">T, positive; 0.8 in CANAL.</param>
    public static Certainty Of(ReadOnlySpan<float> logits, double temperature)
    {
        Span<double> wide = logits.Length <= 1024 ? stackalloc double[logits.Length] : new double[logits.Length];
        for (var k = 0; k < logits.Length; k++) wide[k] = logits[k];
        return Of(wide, temperature);
    }

    /// <summary>Of one cell, from float64 logits.</summary>
    public static Certainty Of(ReadOnlySpan<double> logits, double temperature)
    {
        var best = 0;
        for (var k = 1; k < logits.Length; k++)
        {
            if (logits[k] > logits[best]) best = k;
        }
        double sum = 0, tempered = 0;
        foreach (var logit in logits)
        {
            sum += Math.Exp(logit - logits[best]);
            tempered += Math.Exp((logit - logits[best]) / temperature);
        }
        return new Certainty(best, 1 / sum, -logits[best] - (temperature * Math.Log(tempered)));
    }

    /// <summary>CANAL's novelty score ( minmax(E) + 1 - confidence ) / 2, the range being given and not clipped to.</summary>
    /// <param name="lowest">Smallest energy of the cells that set the range.</param>
    /// <param name="highest">Largest energy; equal energies place every cell at 0.</param>
    public double Novelty(double lowest, double highest) => (MinMax(Energy, lowest, highest) + 1 - Confidence) / 2;

    /// <summary>(value - lowest) / (highest - lowest), 0 where the two are the same.</summary>
    public static double MinMax(double value, double lowest, double highest) => highest > lowest ? (value - lowest) / (highest - lowest) : 0;
}
