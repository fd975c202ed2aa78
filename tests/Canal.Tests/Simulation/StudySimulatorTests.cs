using Canal.Data;
using Canal.Engine.Random;
using Canal.Simulation;
using Canal.Tests.Data;

namespace Canal.Tests.Simulation;

public sealed class StudySimulatorTests
{
    private static readonly StudySimulator simulator = new(new SimulationSettings());

    [Fact]
    public void TheSameSeedGivesTheSameStudiesWhateverTheirNumber()
    {
        var other = new StudySimulator(new SimulationSettings { Studies = 5 });
        Assert.Equal(Counts(simulator.Simulate(1)), Counts(other.Simulate(1)));
        Assert.NotEqual(Counts(simulator.Simulate(1)), Counts(new StudySimulator(new SimulationSettings { Seed = 2 }).Simulate(1)));
    }

    [Fact]
    public void EveryStudySaysThatItIsSimulatedAndHasRealSymbols()
    {
        for (var study = 0; study <= 3; study++)
        {
            var file = simulator.Simulate(study);
            Assert.Equal(400, file.CellCount);
            Assert.All(file.ReadObs("simulated").Values, v => Assert.Contains("simulated", v, StringComparison.Ordinal));
            Assert.Equal(ExpressionState.Counts, CountDetection.Detect(file).State);
            var genes = file.GeneNames("X");
            Assert.InRange(genes.Count, 540, 600);
            Assert.Equal(genes.Count, genes.Distinct().Count());
            foreach (var marker in new[] { "INS", "GCG", "SST", "PPY", "KRT19", "PRSS1", "CPA1", "PECAM1", "COL1A1", "GHRL", "ACTB", "RPL3" }) Assert.Contains(marker, genes);
        }
        Assert.InRange(StudySimulator.LargestGeneCount, 2000, 3000);
    }

    [Fact]
    public void LaterStudiesBringNewTypesLackOldOnesAndTheUnseenOneHasNovelTypes()
    {
        var first = simulator.TypesOf(0);
        var (second, third, unseen) = (simulator.TypesOf(1), simulator.TypesOf(2), simulator.TypesOf(3));
        Assert.Contains(second, t => !first.Contains(t));
        Assert.Contains(first, t => !second.Contains(t));
        Assert.Contains(third, t => !first.Contains(t) && !second.Contains(t));
        Assert.Equal(StudySimulator.NovelTypes, unseen.Except(first).Except(second).Except(third));
        for (var study = 0; study <= 3; study++)
        {
            var types = simulator.Simulate(study).ReadObs("cell_type").Values;
            Assert.Equal(simulator.TypesOf(study).Order(), types.Distinct().Order());
            Assert.All(types.GroupBy(t => t), g => Assert.True(g.Count() >= 5, $"{g.Key} has {g.Count()} cells"));
        }
    }

    [Fact]
    public void AFifthOfEachTypeIsForTesting()
    {
        var file = simulator.Simulate(0);
        var (types, split) = (file.ReadObs("cell_type").Values, file.ReadObs("split").Values);
        foreach (var type in types.Distinct())
        {
            var cells = Enumerable.Range(0, types.Count).Where(c => types[c] == type).ToList();
            Assert.Equal((int)Math.Floor(0.2 * cells.Count + 0.5), cells.Count(c => split[c] == "test"));
        }
    }

    [Theory]
    [InlineData("INS", "beta")]
    [InlineData("GCG", "alpha")]
    [InlineData("SST", "delta")]
    [InlineData("KRT19", "ductal")]
    public void MarkersAreHighestInTheirType(string marker, string type)
    {
        var file = simulator.Simulate(0);
        var gene = file.GeneNames("X").ToList().IndexOf(marker);
        var (rows, types) = (new SparseRows(), file.ReadObs("cell_type").Values);
        file.OpenMatrix("X").ReadCells(0, file.CellCount, rows);
        var shares = Enumerable.Range(0, file.CellCount).GroupBy(c => types[c]).ToDictionary(g => g.Key!, g => g.Average(c =>
        {
            var at = rows.Genes(c).IndexOf(gene);
            return at < 0 ? 0 : rows.Values(c)[at] / rows.Values(c).ToArray().Sum();
        }));
        Assert.Equal(type, shares.MaxBy(s => s.Value).Key);
    }

    [Fact]
    public void TheStudiesAreLearnableButNotTrivial()
    {
        var accuracies = new[] { 0, 2 }.Select(study =>
        {
            using var training = new DataSetReader(simulator.Simulate(study), new DataSetSettings { Label = "cell_type", Where = "split == train" });
            using var test = new DataSetReader(simulator.Simulate(study), new DataSetSettings { Label = "cell_type", Where = "split == test", KeepLowQuality = true });
            var panel = training.ChoosePanel(GeneVocabulary.FromFiles([(training.File, "X")]), 300);
            using var cells = training.Prepare(panel);
            using var unseen = test.Prepare(panel);
            return LogisticAccuracy(training.ReadLogFeatures(cells), cells, test.ReadLogFeatures(unseen), unseen);
        }).ToArray();
        Assert.True(accuracies.All(a => a >= 0.9) && accuracies.Average() is >= 0.93 and <= 0.99, string.Join(" ", accuracies));
    }

    [Fact]
    public void DrawsHaveTheMeanAndVarianceOfTheirDistribution()
    {
        foreach (var (mean, dispersion) in new[] { (0.3, 0.5), (4.0, 0.0), (12.0, 0.0), (300.0, 0.2) })
        {
            const int draws = 40_000;
            var random = new RandomSequence(3, RandomPurpose.Testing);
            var (sum, squares) = (0.0, 0.0);
            for (var i = 0; i < draws; i++)
            {
                double x = CountDraws.NegativeBinomial(ref random, mean, dispersion);
                sum += x;
                squares += (x - mean) * (x - mean);
            }
            var variance = mean + (dispersion * mean * mean);
            // Five standard errors of the mean; the variance to 6 %, five of its standard errors for the most skewed case here.
            Assert.InRange(sum / draws, mean - (5 * Math.Sqrt(variance / draws)), mean + (5 * Math.Sqrt(variance / draws)));
            Assert.InRange(squares / draws / variance, 0.94, 1.06);
        }
    }

    [Theory]
    [InlineData(0, 400, 600)]
    [InlineData(6, 400, 600)]
    [InlineData(3, 10, 600)]
    [InlineData(3, 400, 100)]
    [InlineData(3, 400, 9000)]
    public void SizesOutOfRangeAreRefused(int studies, int cells, int genes) =>
        Assert.Throws<UserException>(() => new StudySimulator(new SimulationSettings { Studies = studies, Cells = cells, Genes = genes }));

    private static double[] Counts(MemoryExpressionFile file)
    {
        var rows = new SparseRows();
        file.OpenMatrix("X").ReadCells(0, file.CellCount, rows);
        return ExpressionSamples.ToDense(rows, file.GeneNames("X").Count);
    }

    // Multinomial logistic regression by gradient descent with momentum: enough to say whether types can be told apart.
    private static double LogisticAccuracy(FeatureStore x, PreparedCells training, FeatureStore unseen, PreparedCells test)
    {
        const double rate = 2e-3, momentum = 0.9;
        var types = training.Types.Count;
        var (weights, velocity) = (Table(types, x.PanelGenes), Table(types, x.PanelGenes));
        var probabilities = new double[types];
        for (var step = 0; step < 60; step++)
        {
            var gradient = Table(types, x.PanelGenes);
            for (var cell = 0; cell < x.Cells; cell++)
            {
                Probabilities(weights, x, cell, probabilities);
                var (positions, values) = (x.Positions(cell).ToArray(), x.Values(cell).ToArray());
                for (var k = 0; k < types; k++)
                {
                    var (error, row) = ((probabilities[k] - (training.Labels[cell] == k ? 1 : 0)) / x.Cells, gradient[k]);
                    for (var e = 0; e < positions.Length; e++) row[positions[e]] += error * values[e];
                }
            }
            for (var k = 0; k < types; k++)
            {
                for (var g = 0; g < x.PanelGenes; g++) weights[k][g] += velocity[k][g] = (momentum * velocity[k][g]) - (rate * gradient[k][g]);
            }
        }
        var right = 0;
        for (var cell = 0; cell < unseen.Cells; cell++)
        {
            Probabilities(weights, unseen, cell, probabilities);
            if (training.Types[Array.IndexOf(probabilities, probabilities.Max())] == test.Types[test.Labels[cell]]) right++;
        }
        return (double)right / unseen.Cells;
    }

    private static double[][] Table(int rows, int columns) => [.. Enumerable.Range(0, rows).Select(_ => new double[columns])];

    private static void Probabilities(double[][] weights, FeatureStore features, int cell, double[] probabilities)
    {
        var (positions, values) = (features.Positions(cell).ToArray(), features.Values(cell).ToArray());
        for (var k = 0; k < weights.Length; k++)
        {
            var (logit, row) = (0.0, weights[k]);
            for (var e = 0; e < positions.Length; e++) logit += row[positions[e]] * values[e];
            probabilities[k] = logit;
        }
        var largest = probabilities.Max();
        for (var k = 0; k < weights.Length; k++) probabilities[k] = Math.Exp(probabilities[k] - largest);
        var sum = probabilities.Sum();
        for (var k = 0; k < weights.Length; k++) probabilities[k] /= sum;
    }
}
