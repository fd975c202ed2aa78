namespace Canal.Data;

/// <summary>
/// Choice of highly variable genes in the "seurat" flavour: dispersion normalised within 20 bins of the mean (Satija et al., Nat. Biotechnol. 33, 2015;
/// method.md section 1.5). Cells are added one by one, so memory does not grow with their number.
/// </summary>
public sealed class HighlyVariableGenes
{
    /// <summary>Number of bins of the mean.</summary>
    public const int Bins = 20;

    // Substitute for a mean of 0, before logarithms are taken.
    private const double LeastMean = 1e-12;

    // pandas.cut lowers the first edge by this share of the range so that the smallest value falls into the first bin.
    private const double EdgeMargin = 0.001;

    private readonly int[] expressing;
    private readonly double[] means;
    private readonly double[] squares;

    /// <summary>No cells yet.</summary>
    /// <param name="genes">Number of genes of the vocabulary.</param>
    public HighlyVariableGenes(int genes)
    {
        expressing = new int[genes];
        means = new double[genes];
        squares = new double[genes];
    }

    /// <summary>Number of cells added.</summary>
    public int Cells { get; private set; }

    /// <summary>Adds a cell: aligned genes and counts, normalised here to 10,000 over them.</summary>
    public void Add(ReadOnlySpan<int> genes, ReadOnlySpan<double> counts)
    {
        var total = 0.0;
        foreach (var count in counts) total += count;
        Cells++;
        for (var i = 0; i < genes.Length; i++)
        {
            // Welford's recurrence over the cells that express the gene; the zeros are merged in at the end. A constant gene has variance exactly 0.
            var (gene, value) = (genes[i], ExpressionBins.Normalised(counts[i], total));
            var distance = value - means[gene];
            means[gene] += distance / ++expressing[gene];
            squares[gene] += distance * (value - means[gene]);
        }
    }

    /// <summary>Mean of each gene over all cells.</summary>
    public double[] Means() => [.. Enumerable.Range(0, means.Length).Select(g => means[g] * expressing[g] / Cells)];

    /// <summary>Variance of each gene over all cells, divisor n - 1; NaN for fewer than two cells.</summary>
    public double[] Variances()
    {
        var variances = new double[means.Length];
        for (var gene = 0; gene < variances.Length; gene++)
        {
            double absent = Cells - expressing[gene];
            variances[gene] = Cells < 2 ? double.NaN : (squares[gene] + means[gene] * means[gene] * expressing[gene] * absent / Cells) / (Cells - 1);
        }
        return variances;
    }

    /// <summary>Everything the choice rests on.</summary>
    public DispersionTable Dispersions() => DispersionTable.Of(Means(), Variances());

    /// <summary>The genes with the largest normalised dispersion, in vocabulary order: exactly <paramref name="count"/>, or as many as have one.</summary>
    public int[] Select(int count) => Dispersions().Select(count);

    /// <summary>Means, dispersions and bins of all genes.</summary>
    /// <param name="LogMeans">ln(1 + mean).</param>
    /// <param name="Dispersions">ln(variance / mean); NaN where undefined.</param>
    /// <param name="Edges">The 21 edges of the bins.</param>
    /// <param name="BinOfGene">Bin of each gene.</param>
    /// <param name="Normalised">Dispersion normalised within the bin; NaN where undefined.</param>
    public sealed record DispersionTable(double[] LogMeans, double[] Dispersions, double[] Edges, int[] BinOfGene, double[] Normalised)
    {
        /// <summary>From means and variances of normalised values.</summary>
        public static DispersionTable Of(double[] means, double[] variances)
        {
            ArgumentNullException.ThrowIfNull(means);
            ArgumentNullException.ThrowIfNull(variances);
            var logMeans = new double[means.Length];
            var dispersions = new double[means.Length];
            for (var gene = 0; gene < means.Length; gene++)
            {
                var mean = means[gene] == 0 ? LeastMean : means[gene];
                var dispersion = variances[gene] / mean;
                dispersions[gene] = dispersion > 0 ? Math.Log(dispersion) : double.NaN;
                logMeans[gene] = LogOnePlus(mean);
            }
            var edges = EdgesOf(logMeans);
            var bins = Array.ConvertAll(logMeans, value => BinOf(edges, value));
            return new DispersionTable(logMeans, dispersions, edges, bins, NormaliseWithinBins(dispersions, bins));
        }

        /// <summary>See <see cref="HighlyVariableGenes.Select"/>. Compared in float32, ties in vocabulary order, undefined never.</summary>
        public int[] Select(int count)
        {
            int[] chosen = [.. Enumerable.Range(0, Normalised.Length).Where(g => !double.IsNaN(Normalised[g]))
                .OrderByDescending(g => (float)Normalised[g]).Take(count)];
            Array.Sort(chosen);
            return chosen;
        }

        // ln(1 + x), accurate for small x: ln(u) x / (u - 1) with u = 1 + x (Goldberg, ACM Comput. Surv. 23, 1991, theorem 4).
        private static double LogOnePlus(double x)
        {
            var u = 1 + x;
            return u == 1 ? x : Math.Log(u) * x / (u - 1);
        }

        private static double[] EdgesOf(double[] values)
        {
            var (low, high) = (values.Min(), values.Max());
            if (low == high)
            {
                // All genes in one bin, whichever: as pandas.cut widens an empty range.
                var margin = low == 0 ? EdgeMargin : EdgeMargin * Math.Abs(low);
                (low, high) = (low - margin, high + margin);
                return [.. Enumerable.Range(0, Bins + 1).Select(i => low + (high - low) / Bins * i)];
            }
            var edges = new double[Bins + 1];
            for (var i = 0; i < Bins; i++) edges[i] = low + (high - low) / Bins * i;
            edges[0] -= (high - low) * EdgeMargin;
            edges[Bins] = high;
            return edges;
        }

        // Right-closed bins: the first whose upper edge is not below the value.
        private static int BinOf(double[] edges, double value)
        {
            var bin = 0;
            while (bin < Bins - 1 && value > edges[bin + 1]) bin++;
            return bin;
        }

        private static double[] NormaliseWithinBins(double[] dispersions, int[] bins)
        {
            var normalised = new double[dispersions.Length];
            Array.Fill(normalised, double.NaN);
            for (var bin = 0; bin < Bins; bin++)
            {
                var members = Enumerable.Range(0, dispersions.Length).Where(g => bins[g] == bin && !double.IsNaN(dispersions[g])).ToList();
                if (members.Count == 0) continue;
                var mean = members.Average(g => dispersions[g]);
                var deviation = members.Count == 1 ? 0 : Math.Sqrt(members.Sum(g => (dispersions[g] - mean) * (dispersions[g] - mean)) / (members.Count - 1));
                foreach (var gene in members) normalised[gene] = members.Count == 1 ? 1 : (dispersions[gene] - mean) / deviation;
            }
            return normalised;
        }
    }
}
