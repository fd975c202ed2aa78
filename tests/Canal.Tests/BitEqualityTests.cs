using Canal.Annotation;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Optimizers;
using Canal.Learning;
using Canal.Models;
using Canal.Testing;
using Canal.Tests.Learning;

namespace Canal.Tests;

/// <summary>
/// Pre-training, a second stage with example bank and distillation, labels and gene attention: the same bits on any number of threads and width of
/// vectors, cached or not, in whatever order and number the cells come, and when one machine goes on with what another began.
/// </summary>
public sealed class BitEqualityTests : IDisposable
{
    private const int Cells = 40;
    private static readonly LearningSettings Settings = LearningSamples.Settings with { MaxEpochs = 2, Lambda = 10 };
    private static readonly PretrainSettings Pretraining = new() { MaxEpochs = 2, Batch = 5, Accumulation = 2, Rate = 5e-3, Schedule = ScheduleKind.Steps, ValidationShare = 0.2, Seed = 4 };
    private static readonly StageCells One = LearningSamples.Stage("one", 12, 0, 1), Two = LearningSamples.Stage("two", 13, 1, 2);
    private readonly TemporaryFolder temporary = new();

    /// <summary>512, 256 and 128 bits, with 1, 2, 3 and 7 threads each.</summary>
    public static IEnumerable<object[]> Others =>
        from bits in (int[])[512, 256, 128] from threads in (int[])[1, 2, 3, 7] where (bits, threads) != (512, 1) select new object[] { bits, threads };

    public void Dispose() => temporary.Dispose();

    [Theory, MemberData(nameof(Others))]
    public void ThreadsAndVectorWidthChangeNoBitOfAnything(int bits, int threads)
    {
        var expected = Everything(new CpuOptions { VectorBits = 512, Threads = 1 });
        var actual = Everything(new CpuOptions { VectorBits = bits, Threads = threads });
        foreach (var (what, bytes) in expected) Assert.True(bytes.AsSpan().SequenceEqual(actual[what]), what);
    }

    [Theory]
    [InlineData(TrainableSet.Head)]
    [InlineData(TrainableSet.LastButOne)]
    [InlineData(TrainableSet.LastTwo)]
    [InlineData(TrainableSet.All)]
    public void CachesChangeNoBit_WhateverTrains(TrainableSet trainable)
    {
        using var device = new CpuDevice(new CpuOptions());
        var first = Learn(device, LearningSamples.Fresh(), One);
        var settings = Settings with { Trainable = trainable };
        byte[] Model(bool caches) => Bytes(new StageTrainer(device) { Caches = caches }.Learn(first, Two, settings, StageCompany.Alone, new LearningContext()).Model);
        Assert.Equal(Model(caches: false), Model(caches: true));
    }

    [Fact]
    public void AStageBegunOnOneMachineEndsOnAnotherWithTheSameBits()
    {
        using var whole = new CpuDevice(new CpuOptions { Threads = 2 });
        var first = Learn(whole, LearningSamples.Fresh(), One);
        EndsTheSame(Bytes(Learn(whole, first, Two)), (device, context, watcher) =>
            new StageTrainer(device) { Watcher = watcher }.Learn(first, Two, Settings, StageCompany.Alone, context).Model);
    }

    [Fact]
    public void PretrainingBegunOnOneMachineEndsOnAnotherWithTheSameBits()
    {
        using var cells = Prepared();
        var source = new PretrainSource(cells, "00", false);
        using var whole = new CpuDevice(new CpuOptions { Threads = 2 });
        EndsTheSame(Bytes(new Pretrainer(whole).Pretrain(LearningSamples.Fresh(), [source], Pretraining, new LearningContext()).Model), (device, context, watcher) =>
            new Pretrainer(device) { Watcher = watcher }.Pretrain(LearningSamples.Fresh(), [source], Pretraining, context).Model);
    }

    [Fact]
    public void TheOrderOfTheCellsChangesNoLabelAndNoGeneAttention()
    {
        using var device = new CpuDevice(new CpuOptions());
        var model = Learn(device, Learn(device, LearningSamples.Fresh(), One), Two);
        using var cells = Prepared();
        var own = Labels(device, model, cells, NoveltyRule.Stored);
        foreach (var seed in (int[])[0, 1, 2])
        {
            int[] order = [.. Enumerable.Range(0, Cells).Reverse()];
            if (seed > 0) new Random(seed).Shuffle(order);
            using var shuffled = Prepared(order);
            Assert.NotEqual(cells.CellIds, shuffled.CellIds);
            var other = Labels(device, model, shuffled, NoveltyRule.Stored);
            for (var row = 0; row < Cells; row++) Assert.Equal(Cell(own, order[row]), Cell(other, row));
            Assert.Equal(Attention(device, model, cells), Attention(device, model, shuffled));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(13)]
    public void CellsAtATimeChangeNoBit(int atATime)
    {
        using var device = new CpuDevice(new CpuOptions());
        var model = Learn(device, LearningSamples.Fresh(), One);
        using var network = new CellTypeNetwork(device, model);
        using var inference = new CellTypeInference(network);
        Assert.Equal(Outputs(inference.BatchCells), Outputs(atATime));

        float[] Outputs(int some)
        {
            var all = new List<float>();
            foreach (var cells in Enumerable.Range(0, One.Tokens.Count).Chunk(some))
            {
                var output = inference.Forward(One.Tokens, cells);
                all.AddRange(device.Read<float>(output.Logits.Value.Slice(0, cells.Length)));
                all.AddRange(device.Read<float>(output.Manifold.Value.Slice(0, cells.Length)));
                all.AddRange(device.Read<float>(output.Representation.Value.Slice(0, cells.Length)));
                inference.End();
            }
            // A cell's values side by side, however many came at a time.
            var widths = new[] { network.Types, network.ManifoldWidth, network.RepresentationWidth };
            return [.. Enumerable.Range(0, One.Tokens.Count).SelectMany(cell => widths.SelectMany((width, which) => all.Skip(Place(cell, which)).Take(width)))];

            int Place(int cell, int which)
            {
                var (first, count) = (cell / some * some, Math.Min(some, One.Tokens.Count - (cell / some * some)));
                return (first * widths.Sum()) + (count * widths.Take(which).Sum()) + ((cell - first) * widths[which]);
            }
        }
    }

    private Dictionary<string, byte[]> Everything(CpuOptions options)
    {
        using var device = new CpuDevice(options);
        using var cells = Prepared();
        var pretrained = new Pretrainer(device).Pretrain(LearningSamples.Fresh(), [new PretrainSource(cells, "00", false)], Pretraining, new LearningContext()).Model;
        var first = Learn(device, pretrained, One);
        var second = Learn(device, first, Two);
        Assert.True(first.Bank.Count > 0 && second.Provenance[^1].Metrics["training_cells"] > 20, "the second stage replays");
        var made = new Dictionary<string, byte[]> { ["pre-training"] = Bytes(pretrained), ["stage 1"] = Bytes(first), ["stage 2"] = Bytes(second) };
        foreach (var rule in Enum.GetValues<NoveltyRule>())
        {
            AnnotationOutput.WriteCsv(Labels(device, second, cells, rule), temporary["labels.csv"]);
            made[$"labels, {rule}"] = File.ReadAllBytes(temporary["labels.csv"]);
        }
        made["representations"] = [.. Labels(device, second, cells, NoveltyRule.Stored).Representations.SelectMany(BitConverter.GetBytes)];
        made["gene attention"] = [.. Attention(device, second, cells).SelectMany(BitConverter.GetBytes)];
        return made;
    }

    // Stopped again and again, each time to go on with other threads and vectors.
    private void EndsTheSame(byte[] expected, Func<Device, LearningContext, ITaskWatcher, AnnotationModel> run)
    {
        CpuOptions[] machines = [new() { Threads = 1, VectorBits = 128 }, new() { Threads = 3, VectorBits = 512 }, new() { Threads = 7, VectorBits = 256 }];
        for (var stops = 0; ; stops++)
        {
            Assert.True(stops < 60, "the run does not get on");
            using var device = new CpuDevice(machines[stops % machines.Length]);
            using var folder = RunFolder.Open(temporary["model.safetensors"], restart: false);
            using var cancel = new CancellationTokenSource();
            try
            {
                var model = run(device, new LearningContext { Folder = folder, Cancel = cancel.Token }, new Stopper(cancel, after: 2));
                Assert.True(stops >= machines.Length, $"it was stopped {stops} times");
                Assert.Equal(expected, Bytes(model));
                return;
            }
            catch (RunInterruptedException)
            {
                Assert.True(folder.HasState);
            }
        }
    }

    private static PreparedCells Prepared(int[]? order = null)
    {
        using var reader = new DataSetReader(LearningSamples.File("cells", Cells, order), new DataSetSettings { Name = "cells", Label = "cell_type", FewestGenes = 0, KeepLowQuality = true });
        return reader.Prepare(LearningSamples.Panel);
    }

    private static AnnotationModel Learn(CpuDevice device, AnnotationModel previous, StageCells cells) =>
        new StageTrainer(device).Learn(previous, cells, Settings, StageCompany.Alone, new LearningContext()).Model;

    private static AnnotationResult Labels(CpuDevice device, AnnotationModel model, PreparedCells cells, NoveltyRule rule)
    {
        using var annotator = new Annotator(device, model);
        return annotator.Annotate(cells, new AnnotationSettings { Novelty = rule }, null, CancellationToken.None);
    }

    private static string Cell(AnnotationResult result, int row) => string.Join(' ',
    [
        result.CellIds[row], .. result.Best.Skip(3 * row).Take(3), .. result.Probabilities.Skip(3 * row).Take(3).Select(Bits), Bits(result.Energy[row]),
        BitConverter.DoubleToInt64Bits(result.Novelty[row]), .. result.Representations.Skip(result.Width * row).Take(result.Width).Select(Bits),
    ]);

    private static object Bits(float value) => BitConverter.SingleToInt32Bits(value);

    private static double[] Attention(CpuDevice device, AnnotationModel model, PreparedCells cells) =>
        [.. GeneAttentionProfile.Compute(device, model, cells, [.. cells.Labels.Select(l => cells.Types[l])], null, null, null, CancellationToken.None).Scores.Cast<double>()];

    private byte[] Bytes(AnnotationModel model)
    {
        ModelFile.Save(model, temporary["bytes.safetensors"]);
        return File.ReadAllBytes(temporary["bytes.safetensors"]);
    }

    private sealed class Stopper(CancellationTokenSource cancel, int after) : ITaskWatcher
    {
        private int steps;

        public void StepBegins(int cells) { }

        public void StepEnds(int cells)
        {
            if (++steps == after) cancel.Cancel();
        }

        public void EpochEnds() { }
    }
}
