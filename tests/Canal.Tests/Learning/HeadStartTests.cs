using Canal.Engine.Devices.Cpu;
using Canal.Engine.Layers;
using Canal.Learning;
using Canal.Models;

namespace Canal.Tests.Learning;

/// <summary>A new head lets genes through, whatever its random filter.</summary>
public sealed class HeadStartTests
{
    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public void TheFiltersResponse_IsOneDeviationAboveZeroOnAverage(ulong seed)
    {
        var cells = LearningSamples.Stage("one", 40, 0, 1, 2);
        var fresh = LearningSamples.Fresh();
        using var network = new CellTypeNetwork(new CpuDevice(new CpuOptions { Threads = 1 }), fresh.Grow(fresh.Library.Grow(cells.Labels, 1), seed));
        using var device = network.Device;
        // Cut off as badly as can be.
        network.Parameters.Write(CellTypeHead.FilterBiasName, [-100]);
        Assert.All(Filtered(network, cells), value => Assert.Equal(0, value));

        var training = Enumerable.Range(0, 64).ToArray();
        HeadStart.Settle(network, new StagePool(cells.Tokens, new int[cells.Count], training, []), null);

        var bias = Assert.Single(network.Parameters.Read(CellTypeHead.FilterBiasName));
        // Far above zero nothing is cut off: the responses themselves.
        network.Parameters.Write(CellTypeHead.FilterBiasName, [100]);
        var responses = Filtered(network, cells).Select(value => value - 100.0).ToArray();
        var mean = responses.Average();
        var deviation = Math.Sqrt(responses.Average(r => (r - mean) * (r - mean)));
        // Both are read off values near 100, of 24 bits.
        Assert.Equal(deviation - mean, bias, 1e-5 * 8);
        Assert.True(deviation > 1e-3);

        IEnumerable<float> Filtered(CellTypeNetwork of, StageCells from)
        {
            using var inference = new CellTypeInference(of);
            var all = new List<float>();
            for (var first = 0; first < 64; first += inference.BatchCells)
            {
                var batch = Enumerable.Range(first, Math.Min(inference.BatchCells, 64 - first)).ToArray();
                all.AddRange(of.Device.Read<float>(inference.Forward(from.Tokens, batch).Filtered.Value.Slice(0, batch.Length)));
                inference.End();
            }
            return all;
        }
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

        AnnotationModel Learn(AnnotationModel previous, StageCells cells) => new StageTrainer(device)
            .Learn(previous, cells, LearningSamples.Settings with { Rate = 1e-8, MaxEpochs = 1 }, StageCompany.Alone, new LearningContext()).Model;
    }
}
