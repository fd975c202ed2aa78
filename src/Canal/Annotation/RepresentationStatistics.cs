namespace Canal.Annotation;

/// <summary>
/// Where the known types lie in the space of representations: a mean a type, one covariance shared by the types, the mean and covariance
/// of all cells, and the cells themselves as directions. All from cells trained on (the stage's and the bank's).
/// </summary>
public sealed class RepresentationStatistics
{
    /// <summary>Most cells kept as directions; a bank of the default size.</summary>
    public const int MostCells = 1000;

    // The share of the identity (times the mean variance) in a covariance: representations end in a relu and have dead directions.
    private const double Shrinkage = 0.1;
    private const int NeighbourPlace = 5;
    private readonly double[] sharedFactor, overallFactor;
    private readonly double[][] directions;
    private readonly double[] meanLengths;

    /// <summary>Statistics as stored in a model.</summary>
    /// <param name="width">Length of a representation.</param>
    /// <param name="counts">[K]: cells of each type; a type without cells is never the nearest.</param>
    /// <param name="means">[K, width].</param>
    /// <param name="shared">[width, width]: covariance within types.</param>
    /// <param name="overallMean">[width].</param>
    /// <param name="overall">[width, width]: covariance of all cells.</param>
    /// <param name="cells">[cells, width]: cells kept.</param>
    public RepresentationStatistics(int width, int[] counts, double[] means, double[] shared, double[] overallMean, double[] overall, float[] cells)
    {
        (Width, Counts, Means, Shared, OverallMean, Overall, Cells) = (width, counts, means, shared, overallMean, overall, cells);
        (sharedFactor, overallFactor) = (Cholesky.Factor(shared, width, Shrinkage), Cholesky.Factor(overall, width, Shrinkage));
        directions = [.. Enumerable.Range(0, cells.Length / width).Select(cell => Array.ConvertAll(cells[(cell * width)..((cell + 1) * width)], value => (double)value))];
        foreach (var direction in directions) Normalise(direction);
        meanLengths = [.. Enumerable.Range(0, counts.Length).Select(type => Math.Sqrt(Dot(means.AsSpan(type * width, width), means.AsSpan(type * width, width))))];
    }

    /// <summary>Length of a representation.</summary>
    public int Width { get; }

    /// <summary>[K]: cells of each type.</summary>
    public int[] Counts { get; }

    /// <summary>[K, width].</summary>
    public double[] Means { get; }

    /// <summary>[width, width]: covariance within types.</summary>
    public double[] Shared { get; }

    /// <summary>[width].</summary>
    public double[] OverallMean { get; }

    /// <summary>[width, width]: covariance of all cells.</summary>
    public double[] Overall { get; }

    /// <summary>[cells, width]: cells kept.</summary>
    public float[] Cells { get; }

    /// <summary>Statistics of labelled cells.</summary>
    /// <param name="outputs">The cells under the model.</param>
    /// <param name="labels">Index of each cell's type.</param>
    public static RepresentationStatistics Of(CellOutputs outputs, IReadOnlyList<int> labels)
    {
        var (width, cells) = (outputs.Width, outputs.Cells);
        var (counts, means, overallMean) = (new int[outputs.Types], new double[outputs.Types * width], new double[width]);
        for (var cell = 0; cell < cells; cell++)
        {
            counts[labels[cell]]++;
            Add(means.AsSpan(labels[cell] * width, width), outputs.RepresentationOf(cell));
            Add(overallMean, outputs.RepresentationOf(cell));
        }
        for (var i = 0; i < means.Length; i++) means[i] /= Math.Max(1, counts[i / width]);
        for (var i = 0; i < width; i++) overallMean[i] /= Math.Max(1, cells);
        var (shared, overall) = (new double[width * width], new double[width * width]);
        for (var cell = 0; cell < cells; cell++)
        {
            AddSquare(shared, outputs.RepresentationOf(cell), means.AsSpan(labels[cell] * width, width), cells);
            AddSquare(overall, outputs.RepresentationOf(cell), overallMean, cells);
        }
        return new RepresentationStatistics(width, counts, means, shared, overallMean, overall, Sample(outputs));
    }

    /// <summary>Distance of a representation to the known types; grows with strangeness.</summary>
    public double Distance(DistanceMeasure measure, ReadOnlySpan<float> representation) => measure switch
    {
        // Logarithms keep cells a hundred times farther than any known one in order: the logistic of what is written would round to 1.
        DistanceMeasure.Mahalanobis => Math.Log(1 + Math.Sqrt(NearestMahalanobis(representation))),
        DistanceMeasure.RelativeMahalanobis => Relative(representation),
        DistanceMeasure.Cosine => NearestCosine(representation),
        DistanceMeasure.Neighbours => Neighbours(representation),
        _ => throw new ArgumentOutOfRangeException(nameof(measure)),
    };

    private double Relative(ReadOnlySpan<float> representation) =>
        Math.Asinh(Math.Sqrt(NearestMahalanobis(representation)) - Math.Sqrt(Cholesky.SquaredDistance(overallFactor, representation, OverallMean)));

    private double NearestMahalanobis(ReadOnlySpan<float> representation)
    {
        var nearest = double.PositiveInfinity;
        for (var type = 0; type < Counts.Length; type++)
        {
            if (Counts[type] > 0) nearest = Math.Min(nearest, Cholesky.SquaredDistance(sharedFactor, representation, Means.AsSpan(type * Width, Width)));
        }
        return double.IsFinite(nearest) ? nearest : 0;
    }

    private double NearestCosine(ReadOnlySpan<float> representation)
    {
        var direction = Direction(representation);
        var best = -1.0;
        for (var type = 0; type < Counts.Length; type++)
        {
            if (Counts[type] > 0 && meanLengths[type] > 0) best = Math.Max(best, Dot(direction, Means.AsSpan(type * Width, Width)) / meanLengths[type]);
        }
        return 1 - best;
    }

    private double Neighbours(ReadOnlySpan<float> representation)
    {
        var direction = Direction(representation);
        Span<double> best = stackalloc double[NeighbourPlace];
        best.Fill(-1);
        foreach (var other in directions)
        {
            var cosine = Dot(direction, other);
            for (var place = 0; place < NeighbourPlace; place++)
            {
                if (cosine > best[place]) (cosine, best[place]) = (best[place], cosine);
            }
        }
        return 1 - best[Math.Clamp(directions.Length - 1, 0, NeighbourPlace - 1)];
    }

    // Evenly through the cells: a fixed choice, and of every part of the stage.
    private static float[] Sample(CellOutputs outputs)
    {
        var count = Math.Min(MostCells, outputs.Cells);
        return [.. Enumerable.Range(0, count).SelectMany(i => outputs.RepresentationOf((int)((long)i * outputs.Cells / count)).ToArray())];
    }

    private static double[] Direction(ReadOnlySpan<float> representation)
    {
        var direction = new double[representation.Length];
        for (var i = 0; i < direction.Length; i++) direction[i] = representation[i];
        Normalise(direction);
        return direction;
    }

    private static void Normalise(double[] vector)
    {
        var length = Math.Sqrt(Dot(vector, vector));
        for (var i = 0; i < vector.Length && length > 0; i++) vector[i] /= length;
    }

    private static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        var sum = 0.0;
        for (var i = 0; i < left.Length; i++) sum += left[i] * right[i];
        return sum;
    }

    private static void Add(Span<double> sum, ReadOnlySpan<float> values)
    {
        for (var i = 0; i < sum.Length; i++) sum[i] += values[i];
    }

    private static void AddSquare(double[] matrix, ReadOnlySpan<float> values, ReadOnlySpan<double> mean, int cells)
    {
        for (var i = 0; i < values.Length; i++)
        {
            var left = (values[i] - mean[i]) / cells;
            if (left == 0) continue;
            for (var j = 0; j < values.Length; j++) matrix[(i * values.Length) + j] += left * (values[j] - mean[j]);
        }
    }
}
