using Canal.Engine.Devices.Cpu;
using Canal.Engine.Layers;
using Canal.Learning;
using Canal.Models;

namespace Canal.Tests.Learning;

/// <summary>A new head sees which genes a cell expresses, whatever filter was drawn.</summary>
public sealed class HeadStartTests
{
    private const int Cells = 64;

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public void TheFilter_LiesTowardsWhatExpressionChanges(ulong seed)
    {
        var (cells, network) = Network(seed);
        using var device = network.Device;
        using var owned = network;
        var drawn = network.Parameters.Read(CellTypeHead.FilterName);

        HeadStart.Settle(network, Pool(cells), null);

        // By another route: two passes, a gene's mean first and then the deviations from it of the cells that express it.
        var (y, width, genes) = (Outputs(network, cells), network.Encoder.Geometry.Width, network.Genes);
        var direction = new double[width];
        for (var gene = 0; gene < genes; gene++)
        {
            var mean = Enumerable.Range(0, width).Select(c => y.Average(cell => (double)cell[(gene * width) + c])).ToArray();
            foreach (var cell in Enumerable.Range(0, Cells).Where(cell => Expresses(cells.Tokens, cell, gene)))
            {
                for (var c = 0; c < width; c++) direction[c] += y[cell][(gene * width) + c] - mean[c];
            }
        }
        var filter = network.Parameters.Read(CellTypeHead.FilterName);
        Assert.Equal(Length(drawn), Length(filter), 1e-6);
        var length = Math.Sqrt(direction.Sum(v => v * v));
        Assert.All(filter.Zip(direction), pair => Assert.Equal(pair.Second / length * Length(drawn), pair.First, 1e-6));
        Assert.NotEqual(drawn, filter);
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public void TheFiltersResponse_IsOneDeviationAboveZeroOnAverage(ulong seed)
    {
        var (cells, network) = Network(seed);
        using var device = network.Device;
        using var owned = network;
        // Cut off as badly as can be.
        network.Parameters.Write(CellTypeHead.FilterBiasName, [-100]);

        HeadStart.Settle(network, Pool(cells), null);

        var bias = Assert.Single(network.Parameters.Read(CellTypeHead.FilterBiasName));
        var (filter, width) = (network.Parameters.Read(CellTypeHead.FilterName), network.Encoder.Geometry.Width);
        var responses = Outputs(network, cells).SelectMany(cell => Enumerable.Range(0, network.Genes)
            .Select(gene => Enumerable.Range(0, width).Sum(c => (double)cell[(gene * width) + c] * filter[c]))).ToArray();
        var mean = responses.Average();
        var deviation = Math.Sqrt(responses.Average(r => (r - mean) * (r - mean)));
        Assert.Equal(deviation - mean, bias, 1e-5);
        Assert.True(deviation > 1e-3);
    }

    [Theory]
    [InlineData(0)]     // no gene expressed
    [InlineData(1)]     // every gene expressed in every cell
    public void WhereExpressionTellsNothing_TheFilterStaysAsDrawn(int bin)
    {
        var (_, network) = Network(1);
        using var device = network.Device;
        using var owned = network;
        var tokens = new LearningSamples.ListTokens();
        ushort[] all = bin == 0 ? [] : [.. Enumerable.Range(0, LearningSamples.Genes).Select(g => (ushort)g)];
        for (var cell = 0; cell < 3; cell++) tokens.Cells.Add((all, [.. all.Select(_ => (byte)bin)]));
        var drawn = network.Parameters.Read(CellTypeHead.FilterName);

        HeadStart.Settle(network, new StagePool(tokens, [0, 0, 1], [0, 1, 2], []), null);

        Assert.Equal(drawn, network.Parameters.Read(CellTypeHead.FilterName));
        Assert.True(float.IsFinite(Assert.Single(network.Parameters.Read(CellTypeHead.FilterBiasName))));
    }

    private static (StageCells Cells, CellTypeNetwork Network) Network(ulong seed)
    {
        var cells = LearningSamples.Stage("one", 40, 0, 1, 2);
        var fresh = LearningSamples.Fresh();
        return (cells, new CellTypeNetwork(new CpuDevice(new CpuOptions { Threads = 1 }), fresh.Grow(fresh.Library.Grow(cells.Labels, 1), seed)));
    }

    private static StagePool Pool(StageCells cells) => new(cells.Tokens, new int[cells.Count], [.. Enumerable.Range(0, Cells)], []);

    private static bool Expresses(ICellTokens tokens, int cell, int gene)
    {
        var positions = new ushort[tokens.EntryCount(cell)];
        tokens.CopyTo(cell, positions, new byte[positions.Length]);
        return positions.Contains((ushort)gene);
    }

    private static double Length(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));

    // The encoder's output of each cell, [T, C].
    private static List<float[]> Outputs(CellTypeNetwork network, StageCells cells)
    {
        using var inference = new CellTypeInference(network);
        var (outputs, positions) = (new List<float[]>(), network.Encoder.Geometry.Positions);
        for (var first = 0; first < Cells; first += inference.BatchCells)
        {
            var batch = Enumerable.Range(first, Math.Min(inference.BatchCells, Cells - first)).ToArray();
            var y = inference.ForwardEncoder(cells.Tokens, batch).Value;
            for (var i = 0; i < batch.Length; i++) outputs.Add(network.Device.Read<float>(y.Slice(i * positions, positions)));
            inference.End();
        }
        return outputs;
    }

    [Theory]
    [InlineData(1e-9, 1, true)]
    [InlineData(2e-3, 20, false)]
    public void AStageThatLearnsNothing_SaysSo(double rate, int epochs, bool says)
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var said = new Sayings();
        new StageTrainer(device).Learn(
            LearningSamples.Fresh(), LearningSamples.Stage("one", 20, 0, 1, 2), LearningSamples.Settings with { Rate = rate, MaxEpochs = epochs },
            StageCompany.Alone, new LearningContext { Progress = said });
        Assert.Equal(says, said.Lines.Any(line => line.StartsWith("nothing was learned: ", StringComparison.Ordinal)));
    }

    [Fact]
    public void ALaterStage_KeepsItsFilter()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 1 });
        var first = Learn(LearningSamples.Fresh(), LearningSamples.Stage("one", 12, 0, 1));
        // So little is learned that what is left of the filter is where the first stage ended.
        var second = Learn(first, LearningSamples.Stage("two", 12, 1, 2));
        Assert.Equal(first.Weights[CellTypeHead.FilterBiasName][0], second.Weights[CellTypeHead.FilterBiasName][0], 1e-5);
        Assert.All(first.Weights[CellTypeHead.FilterName].Zip(second.Weights[CellTypeHead.FilterName]), pair => Assert.Equal(pair.First, pair.Second, 1e-5));

        AnnotationModel Learn(AnnotationModel previous, StageCells cells) => new StageTrainer(device)
            .Learn(previous, cells, LearningSamples.Settings with { Rate = 1e-8, MaxEpochs = 1 }, StageCompany.Alone, new LearningContext()).Model;
    }
}
