using Canal.Learning;

namespace Canal.Annotation;

/// <summary>The population that a cell lies nearest to.</summary>
/// <param name="Population">Its index.</param>
/// <param name="Distance">log(1 + D), D the Mahalanobis distance to its mean.</param>
public readonly record struct NearestPopulation(int Population, double Distance);

/// <summary>
/// Where the known cells lie in the space of the leading principal components of the panel's expression bins: a mean a population
/// (the cells of one type, of all stages) and one covariance within populations, shared by all: what differs between studies of one type
/// counts as variation, so that the next study is not novel for that alone. From cells trained on (the stage's and the bank's); the network
/// plays no part. Immutable.
/// </summary>
/// <remarks>
/// Mahalanobis distance to the nearest class mean is Lee et al.'s (NeurIPS 2018), there on a network's layers. A network keeps of a cell
/// what tells the known types apart, and what makes a new type new need not be among that; the components keep what varies.
/// </remarks>
public sealed class GeneStatistics
{
    /// <summary>Fewest components.</summary>
    public const int FewestComponents = 10;

    // K types are told apart in K - 1 directions; the rest is for what varies within them.
    private const int ComponentsBeyondTypes = 5;

    // Of each population, for the components alone: bounds the time, and keeps large ones from taking all components.
    private const int MostCells = 500;

    private readonly double[] factor;
    private readonly double[] origin;

    /// <summary>Statistics as stored in a model.</summary>
    /// <param name="mean">[G]: mean bin of each gene over the cells that chose the components.</param>
    /// <param name="directions">[G, d]: the components.</param>
    /// <param name="counts">[P]: cells of each population; at least one population, each with cells.</param>
    /// <param name="means">[P, d]: coordinates of the populations' means.</param>
    /// <param name="covariance">[d, d]: within populations.</param>
    public GeneStatistics(double[] mean, double[] directions, int[] counts, double[] means, double[] covariance)
    {
        (Mean, Directions, Counts, Means, Covariance) = (mean, directions, counts, means, covariance);
        Components = directions.Length / mean.Length;
        origin = GeneSubspace.Origin(mean, directions, Components);
        // As many cells as components are worth half; with thousands the share vanishes.
        factor = Cholesky.Factor(covariance, Components, Components / (double)(Components + counts.Sum()));
    }

    /// <summary>d: number of components.</summary>
    public int Components { get; }

    /// <summary>[G]: mean bin of each gene.</summary>
    public double[] Mean { get; }

    /// <summary>[G, d].</summary>
    public double[] Directions { get; }

    /// <summary>[P].</summary>
    public int[] Counts { get; }

    /// <summary>[P, d].</summary>
    public double[] Means { get; }

    /// <summary>[d, d].</summary>
    public double[] Covariance { get; }

    /// <summary>Components for K known types on G genes: max(10, K + 5), at most G.</summary>
    public static int ComponentsFor(int types, int genes) => Math.Min(genes, Math.Max(FewestComponents, types + ComponentsBeyondTypes));

    /// <summary>Statistics of cells.</summary>
    /// <param name="tokens">Cells.</param>
    /// <param name="cells">Those to look at; at least one.</param>
    /// <param name="populations">Population of each of <paramref name="cells"/>: 0 to P - 1, none left out.</param>
    /// <param name="types">K: known types, for the number of components.</param>
    /// <param name="genes">G.</param>
    public static GeneStatistics Of(ICellTokens tokens, IReadOnlyList<int> cells, IReadOnlyList<int> populations, int types, int genes)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(cells);
        var d = ComponentsFor(types, genes);
        var (mean, directions) = GeneSubspace.Of(tokens, Sample(cells, populations), genes, d);
        var origin = GeneSubspace.Origin(mean, directions, d);
        var coordinates = new double[cells.Count * d];
        var counts = new int[populations.Max() + 1];
        var (means, covariance) = (new double[counts.Length * d], new double[d * d]);
        for (var i = 0; i < cells.Count; i++)
        {
            var own = coordinates.AsSpan(i * d, d);
            var (positions, bins) = Read(tokens, cells[i]);
            GeneSubspace.Project(positions, bins, directions, origin, own);
            counts[populations[i]]++;
            for (var j = 0; j < d; j++) means[(populations[i] * d) + j] += own[j];
        }
        for (var i = 0; i < means.Length; i++) means[i] /= counts[i / d];
        for (var i = 0; i < cells.Count; i++)
        {
            var own = coordinates.AsSpan(i * d, d);
            var typical = means.AsSpan(populations[i] * d, d);
            for (var a = 0; a < d; a++)
            {
                for (var b = 0; b < d; b++) covariance[(a * d) + b] += (own[a] - typical[a]) * (own[b] - typical[b]) / cells.Count;
            }
        }
        return new GeneStatistics(mean, directions, counts, means, covariance);
    }

    /// <summary>The population that a cell lies nearest to; ties to the lower index.</summary>
    /// <param name="positions">Panel positions of its non-zero tokens.</param>
    /// <param name="bins">The expression bins there, 1 to 5.</param>
    public NearestPopulation Nearest(ReadOnlySpan<ushort> positions, ReadOnlySpan<byte> bins)
    {
        Span<double> coordinates = Components <= 1024 ? stackalloc double[Components] : new double[Components];
        GeneSubspace.Project(positions, bins, Directions, origin, coordinates);
        var (nearest, least) = (0, double.PositiveInfinity);
        for (var population = 0; population < Counts.Length; population++)
        {
            var distance = Cholesky.SquaredDistance(factor, (ReadOnlySpan<double>)coordinates, Means.AsSpan(population * Components, Components));
            if (distance < least) (nearest, least) = (population, distance);
        }
        // The logarithm keeps cells a hundred times farther than any known one in order: the logistic of what is written would round to 1.
        return new NearestPopulation(nearest, Math.Log(1 + Math.Sqrt(least)));
    }

    /// <summary>Thresholds a population from cells that were not trained on: <see cref="NoveltyThresholds.Fit"/>.</summary>
    public NoveltyThresholds Thresholds(ICellTokens tokens, IReadOnlyList<int> cells, double acceptanceRate)
    {
        var nearest = cells.Select(cell => Read(tokens, cell)).Select(cell => Nearest(cell.Positions, cell.Bins)).ToArray();
        return NoveltyThresholds.Fit(Counts.Length, [.. nearest.Select(n => n.Population)], [.. nearest.Select(n => n.Distance)], acceptanceRate);
    }

    private static SparseTokens Read(ICellTokens tokens, int cell)
    {
        var count = tokens.EntryCount(cell);
        var read = new SparseTokens(new ushort[count], new byte[count]);
        tokens.CopyTo(cell, read.Positions, read.Bins);
        return read;
    }

    // Evenly through each population's cells.
    private static List<int> Sample(IReadOnlyList<int> cells, IReadOnlyList<int> populations)
    {
        var chosen = new List<int>();
        foreach (var population in Enumerable.Range(0, cells.Count).GroupBy(i => populations[i], i => cells[i]).OrderBy(group => group.Key))
        {
            var own = population.ToArray();
            var count = Math.Min(MostCells, own.Length);
            for (var i = 0; i < count; i++) chosen.Add(own[(int)((long)i * own.Length / count)]);
        }
        return chosen;
    }
}
