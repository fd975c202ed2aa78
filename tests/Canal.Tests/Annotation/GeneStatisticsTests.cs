using Canal.Annotation;
using Canal.Engine.Random;
using Canal.Evaluation;
using Canal.Learning;

namespace Canal.Tests.Annotation;

public sealed class GeneStatisticsTests
{
    private const int Genes = 24, Types = 3;

    [Fact]
    public void Components_AreTheLeadingOnes_AndNoneBeyondTheRank()
    {
        // Gene 0 has bins 1 or 5 and gene 2 bins 1 or 3, independently; gene 1 always 2: variances 4, 1 and 0.
        var cells = new Sample([.. from a in new[] { 1, 5 } from b in new[] { 1, 3 } select new[] { a, 2, b, 0 }]);
        var (mean, directions) = GeneSubspace.Of(cells, [0, 1, 2, 3], 4, 3);
        Assert.Equal([3.0, 2.0, 2.0, 0.0], mean);
        double[] leading = [1, 0, 0, 0], next = [0, 0, 1, 0];
        for (var gene = 0; gene < 4; gene++)
        {
            // The error falls by a quarter an iteration, twenty times: 1e-12.
            Assert.Equal(leading[gene], Math.Abs(directions[gene * 3]), 1e-11);
            Assert.Equal(next[gene], Math.Abs(directions[(gene * 3) + 1]), 1e-11);
            Assert.Equal(0, directions[(gene * 3) + 2]);
        }
    }

    [Fact]
    public void Directions_AreOrthonormal_AndTheSameBitsAgain()
    {
        var (cells, labels) = Cells(1, 200);
        var (first, again) = (Fit(cells, labels), Fit(cells, labels));
        Assert.Equal(10, first.Components);
        Assert.Equal(first.Directions, again.Directions);
        Assert.Equal(first.Covariance, again.Covariance);
        for (var i = 0; i < 10; i++)
        {
            for (var j = 0; j < 10; j++)
            {
                var dot = Enumerable.Range(0, Genes).Sum(gene => first.Directions[(gene * 10) + i] * first.Directions[(gene * 10) + j]);
                Assert.Equal(i == j ? 1 : 0, dot, 1e-12);
            }
        }
    }

    [Fact]
    public void Distance_IsMahalanobis_ToTheNearestPopulation()
    {
        // Variances 4 and 1, 18 cells, 2 components: a tenth of the mean variance 2.5 is mixed in.
        var statistics = new GeneStatistics([0, 0, 0], [1, 0, 0, 1, 0, 0], [9, 9], [10, 10, 0, 0], [4, 0, 0, 1]);
        var nearest = statistics.Nearest([0, 1], [3, 2]);
        Assert.Equal(1, nearest.Population);
        Assert.Equal(Math.Log(1 + Math.Sqrt((9 / 3.85) + (4 / 1.15))), nearest.Distance, 1e-9);
        Assert.Equal(new NearestPopulation(1, 0), statistics.Nearest([2], [5]));
    }

    [Fact]
    public void MeansAndCovariance_AreThoseWithinPopulations()
    {
        // On two genes the components turn, and nothing else: distances are those of the genes themselves.
        var cells = new Sample([[1, 0], [3, 0], [1, 2], [3, 2], [5, 4], [5, 2]]);
        var statistics = GeneStatistics.Of(cells, [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 1, 1], 2, 2);
        Assert.Equal([4, 2], statistics.Counts);
        // Means (2, 1) and (5, 3); variances 4/6 and 6/6, covariance 0; a quarter of the mean variance 5/6 is mixed in.
        var (first, second) = ((0.75 * 4 / 6) + (0.25 * 5 / 6), 0.75 + (0.25 * 5 / 6));
        var nearest = statistics.Nearest([0, 1], [4, 3]);
        Assert.Equal(1, nearest.Population);
        Assert.Equal(Math.Log(1 + Math.Sqrt(1 / first)), nearest.Distance, 1e-9);
        Assert.Equal(Math.Log(1 + Math.Sqrt(1 / second)), statistics.Nearest([0, 1], [2, 2]).Distance, 1e-9);
    }

    [Fact]
    public void NumberOfComponents_FollowsTheTypes()
    {
        Assert.Equal(10, GeneStatistics.ComponentsFor(1, 1000));
        Assert.Equal(10, GeneStatistics.ComponentsFor(5, 1000));
        Assert.Equal(35, GeneStatistics.ComponentsFor(30, 1000));
        Assert.Equal(4, GeneStatistics.ComponentsFor(30, 4));
    }

    [Fact]
    public void ATypeOfItsOwnGenes_IsFound_AndKnownCellsAreAcceptedAtTheRateAskedFor()
    {
        var (training, labels) = Cells(1, 600);
        var (validation, validationTypes) = Cells(2, 600);
        var statistics = Fit(training, labels);
        var outputs = new CellOutputs(Types, [.. validationTypes.SelectMany(type => Enumerable.Range(0, Types).Select(k => k == type ? 5f : 0))], 1, new float[600]);
        var calibration = NoveltyCalibration.Fit(new NoveltySettings(), outputs, validationTypes, outputs)!.WithGenes(statistics, statistics.Thresholds(validation, [.. Enumerable.Range(0, 600)], 0.95));
        Assert.Equal(NoveltyRule.Genes, NoveltyDetector.DefaultRule(calibration));
        var detector = new NoveltyDetector(NoveltyRule.Genes, calibration);
        var known = Score(detector, Cells(3, 2000));
        // Genes that no known type expresses beyond chance, and the network is as sure of a known type as ever.
        var novel = Score(detector, Cells(4, 200, type: 3));
        // 2,000 new cells and 600 calibration cells: standard deviation of the rate below 0.015; 4 of those.
        Assert.InRange(known.Count(score => score <= 0.5) / 2000.0, 0.89, 1);
        Assert.True(NoveltyMetrics.Auroc(known, novel) > 0.95);
        Assert.All(novel, score => Assert.InRange(score, 0, 1 - 1e-15));
    }

    [Fact]
    public void CellsThatAreAllAlike_OrEmpty_GiveFiniteDistances()
    {
        var statistics = GeneStatistics.Of(new Sample([[1, 0], [1, 0], [0, 0]]), [0, 1], [0, 0], 1, 2);
        Assert.Equal(0, statistics.Nearest([0], [1]).Distance, 1e-9);
        Assert.True(double.IsFinite(statistics.Nearest([], []).Distance));
        Assert.True(double.IsFinite(statistics.Nearest([0, 1], [5, 5]).Distance));
    }

    [Fact]
    public void WithoutTheStatistics_TheRuleIsRefused_AndTheOldDefaultStays()
    {
        var outputs = new CellOutputs(2, [1, 0, 0, 1], 1, [0, 1]);
        var calibration = NoveltyCalibration.Fit(new NoveltySettings(), outputs, [0, 1], outputs);
        Assert.Equal(NoveltyRule.Stored, NoveltyDetector.DefaultRule(calibration));
        Assert.Contains("--novelty stored", Assert.Throws<UserException>(() => new NoveltyDetector(NoveltyRule.Genes, calibration)).Message, StringComparison.Ordinal);
    }

    private static double[] Score(NoveltyDetector detector, (Sample Cells, int[] Types) drawn) => [.. Enumerable.Range(0, drawn.Cells.Count).Select(cell =>
    {
        var (positions, bins) = drawn.Cells.Read(cell);
        return detector.Score([.. Enumerable.Range(0, Types).Select(k => k == drawn.Types[cell] % Types ? 5f : 0)], [0f], positions, bins);
    })];

    private static GeneStatistics Fit(Sample cells, int[] labels) => GeneStatistics.Of(cells, [.. Enumerable.Range(0, cells.Count)], labels, Types, Genes);

    // Type k expresses genes 4k to 4k + 3; every gene has some noise, genes 16 and up nothing else. Type 3 is not known.
    private static (Sample Cells, int[] Types) Cells(int stream, int count, int? type = null)
    {
        var random = new RandomSequence(17, RandomPurpose.Testing, index: stream);
        var (bins, labels) = (new int[count][], new int[count]);
        for (var cell = 0; cell < count; cell++)
        {
            labels[cell] = type ?? random.NextInt(Types);
            bins[cell] = new int[Genes];
            for (var gene = 0; gene < Genes; gene++)
            {
                var own = gene / 4 == labels[cell];
                if (random.NextDouble() < (own ? 0.9 : 0.2)) bins[cell][gene] = (own ? 3 : 1) + random.NextInt(2);
            }
        }
        return (new Sample(bins), labels);
    }

    private sealed class Sample(int[][] bins) : ICellTokens
    {
        public int Count => bins.Length;

        public int EntryCount(int cell) => bins[cell].Count(bin => bin > 0);

        public void CopyTo(int cell, Span<ushort> positions, Span<byte> target)
        {
            var n = 0;
            for (var gene = 0; gene < bins[cell].Length; gene++)
            {
                if (bins[cell][gene] == 0) continue;
                (positions[n], target[n]) = ((ushort)gene, (byte)bins[cell][gene]);
                n++;
            }
        }

        public SparseTokens Read(int cell)
        {
            var read = new SparseTokens(new ushort[EntryCount(cell)], new byte[EntryCount(cell)]);
            CopyTo(cell, read.Positions, read.Bins);
            return read;
        }
    }
}
