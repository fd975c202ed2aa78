using Canal.Engine.Random;
using Canal.Learning;

namespace Canal.Annotation;

/// <summary>
/// The leading principal components of cells' tokens on the gene panel, by orthogonal iteration: sparse cells are multiplied as they are,
/// nothing of the size genes x genes exists. Float64, in one fixed order of sums, from a fixed start: the same cells give the same bits.
/// </summary>
internal static class GeneSubspace
{
    // The error of the spanned space falls by lambda_(d+1) / lambda_d an iteration. Components whose variances are so near that twenty do
    // not part them carry about as much and may stand in for one another.
    private const int Iterations = 20;
    private const double SmallestLength = 1e-9;

    /// <summary>Finds them.</summary>
    /// <param name="tokens">Cells.</param>
    /// <param name="cells">Those to look at; at least one.</param>
    /// <param name="genes">G: genes of the panel.</param>
    /// <param name="components">d: how many; where the cells span fewer, the others are 0.</param>
    /// <returns>The cells' mean [G], and orthonormal directions [G, d], row-major.</returns>
    public static (double[] Mean, double[] Directions) Of(ICellTokens tokens, IReadOnlyList<int> cells, int genes, int components)
    {
        var rows = new SparseTokens[cells.Count];
        var mean = new double[genes];
        for (var i = 0; i < rows.Length; i++)
        {
            var count = tokens.EntryCount(cells[i]);
            rows[i] = new SparseTokens(new ushort[count], new byte[count]);
            tokens.CopyTo(cells[i], rows[i].Positions, rows[i].Bins);
            for (var t = 0; t < count; t++) mean[rows[i].Positions[t]] += rows[i].Bins[t];
        }
        for (var gene = 0; gene < genes; gene++) mean[gene] /= cells.Count;
        var random = new RandomSequence(1, RandomPurpose.NoveltySubspace);
        var directions = new double[genes * components];
        for (var i = 0; i < directions.Length; i++) directions[i] = random.NextDouble() - 0.5;
        Orthonormalise(directions, genes, components);
        for (var iteration = 0; iteration < Iterations; iteration++)
        {
            directions = Multiply(rows, mean, directions, components);
            Orthonormalise(directions, genes, components);
        }
        return (mean, directions);
    }

    /// <summary>A cell's coordinates: (x - mean) times the directions.</summary>
    /// <param name="positions">Panel positions of its non-zero tokens.</param>
    /// <param name="bins">The expression bins there.</param>
    /// <param name="directions">[G, d].</param>
    /// <param name="origin">[d]: the mean's own coordinates.</param>
    /// <param name="coordinates">[d]: receives them.</param>
    public static void Project(ReadOnlySpan<ushort> positions, ReadOnlySpan<byte> bins, double[] directions, ReadOnlySpan<double> origin, Span<double> coordinates)
    {
        var d = coordinates.Length;
        for (var j = 0; j < d; j++) coordinates[j] = -origin[j];
        for (var t = 0; t < positions.Length; t++)
        {
            var row = positions[t] * d;
            for (var j = 0; j < d; j++) coordinates[j] += bins[t] * directions[row + j];
        }
    }

    /// <summary>The mean's own coordinates, [d].</summary>
    public static double[] Origin(double[] mean, double[] directions, int components)
    {
        var origin = new double[components];
        for (var gene = 0; gene < mean.Length; gene++)
        {
            for (var j = 0; j < components; j++) origin[j] += mean[gene] * directions[(gene * components) + j];
        }
        return origin;
    }

    // The covariance times the directions: sum x (x - mean)^T V, as the coordinates sum to 0 over the cells.
    private static double[] Multiply(SparseTokens[] rows, double[] mean, double[] directions, int d)
    {
        var (product, origin, coordinates) = (new double[directions.Length], Origin(mean, directions, d), new double[d]);
        foreach (var (positions, bins) in rows)
        {
            Project(positions, bins, directions, origin, coordinates);
            for (var t = 0; t < positions.Length; t++)
            {
                var row = positions[t] * d;
                for (var j = 0; j < d; j++) product[row + j] += bins[t] * coordinates[j];
            }
        }
        return product;
    }

    // Gram-Schmidt in place, each column twice; a column that the earlier ones span is set to 0.
    private static void Orthonormalise(double[] directions, int genes, int d)
    {
        for (var j = 0; j < d; j++)
        {
            var before = Length(directions, genes, d, j);
            for (var pass = 0; pass < 2; pass++)
            {
                for (var i = 0; i < j; i++)
                {
                    var dot = 0.0;
                    for (var gene = 0; gene < genes; gene++) dot += directions[(gene * d) + i] * directions[(gene * d) + j];
                    for (var gene = 0; gene < genes; gene++) directions[(gene * d) + j] -= dot * directions[(gene * d) + i];
                }
            }
            var length = Length(directions, genes, d, j);
            var scale = length > SmallestLength * before ? 1 / length : 0;
            for (var gene = 0; gene < genes; gene++) directions[(gene * d) + j] *= scale;
        }
    }

    private static double Length(double[] directions, int genes, int d, int column)
    {
        var sum = 0.0;
        for (var gene = 0; gene < genes; gene++) sum += directions[(gene * d) + column] * directions[(gene * d) + column];
        return Math.Sqrt(sum);
    }
}
