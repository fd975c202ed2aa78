using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Plan;
using Canal.Learning;
using Canal.Models;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Tests.Learning;

/// <summary>
/// Whole stages on the CUDA device: what does not change a bit there, and what half precision changes. Models that only serve as a start are made on
/// the processor, which is faster.
/// </summary>
public abstract class CudaLearningTests(TestDevice kind) : IDisposable
{
    private const int Types = 4;
    private static readonly StageCells One = LearningSamples.Stage("one", 12, 0, 1, 2), Two = LearningSamples.Stage("two", 13, 1, 2, 3);
    private static readonly Lazy<AnnotationModel> AfterOne = new(() => OnTheProcessor(LearningSamples.Fresh(), One));
    private readonly TemporaryFolder temporary = new();

    public void Dispose()
    {
        temporary.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableTheory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    [InlineData("f16")]
    public void AStage_IsLearned_WithTheSameBits_ReplayedAndCachedOrNot_InThePlannedMemory(string precision)
    {
        var settings = LearningSamples.Settings with { MaxEpochs = 2 };
        using var device = Open(precision);
        var result = Learn(device, AfterOne.Value, Two, settings);
        var plan = StagePlanner.Plan(AfterOne.Value, Two, settings, null, PlanTarget.Cuda(Precision(precision)));
        Assert.True(plan.CacheBytes > 0);
        Assert.Equal(plan.PeakBytes, (ulong)device.Memory.HighWater);
        Assert.Equal(0u, device.Memory.Used);
        if (device.Runtime is EmulatedRuntime counted) Assert.True(counted.Replays >= 10, $"{counted.Replays} replays");
        // Chance is a quarter.
        Assert.True(result.Best.ValidationAccuracy >= 0.7, $"it validates at {result.Best.ValidationAccuracy}");

        using var eager = TestDevices.Cuda(kind, Precision(precision), captures: false);
        var apart = new StageTrainer(eager) { Caches = false }.Learn(AfterOne.Value, Two, settings, StageCompany.Alone, new LearningContext());
        if (eager.Runtime is EmulatedRuntime uncounted) Assert.Equal(0, uncounted.Replays);
        Assert.Equal(apart.History, result.History);
        Assert.Equal(Bytes(apart.Model), Bytes(result.Model));
    }

    [SkippableFact]
    public void ResumedInTheMiddle_TheModelFileHasTheSameBytes()
    {
        var settings = LearningSamples.Settings with { MaxEpochs = 1 };
        byte[] unbroken;
        using (var device = Open("bf16")) unbroken = Bytes(Learn(device, LearningSamples.Fresh(), One, settings).Model);
        using (var device = Open("bf16"))
        using (var folder = RunFolder.Open(temporary["model.safetensors"], restart: false))
        using (var cancel = new CancellationTokenSource())
        {
            var context = new LearningContext { Folder = folder, Cancel = cancel.Token };
            var trainer = new StageTrainer(device) { Watcher = new Stopper(cancel, after: 3) };
            Assert.Throws<RunInterruptedException>(() => trainer.Learn(LearningSamples.Fresh(), One, settings, StageCompany.Alone, context));
        }
        using (var device = Open("bf16"))
        using (var folder = RunFolder.Open(temporary["model.safetensors"], restart: false))
        {
            Assert.True(folder.HasState);
            var resumed = new StageTrainer(device).Learn(LearningSamples.Fresh(), One, settings, StageCompany.Alone, new LearningContext { Folder = folder });
            Assert.Equal(unbroken, Bytes(resumed.Model));
        }
    }

    [SkippableFact]
    public void LabelsInHalfPrecision_AreThoseOfFloat32_WhereTheTopTwoAreNotClose()
    {
        var model = OnTheProcessor(AfterOne.Value, Two);
        var cells = LearningSamples.Stage("three", 8, 0, 1, 2, 3).Tokens;
        using var full = Open("fp32");
        var expected = Probabilities(full, model, cells, cells.Count);
        foreach (var precision in (string[])["bf16", "f16"])
        {
            using var half = Open(precision);
            var compared = 0;
            foreach (var (sure, other) in expected.Chunk(Types).Zip(Probabilities(half, model, cells, cells.Count).Chunk(Types)))
            {
                // Where half precision could decide: it moves a probability by a few of its roundoffs, 2^-8.
                if (sure.Max() - sure.Order().ElementAt(Types - 2) < 0.05) continue;
                Assert.Equal(Array.IndexOf(sure, sure.Max()), Array.IndexOf(other, other.Max()));
                compared++;
            }
            Assert.True(compared >= cells.Count / 2, $"{compared} of {cells.Count} cells are decided");
        }
    }

    [SkippableTheory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    [InlineData("f16")]
    public void ACellGetsTheSameBits_WhateverItsPlaceAndCompany(string precision)
    {
        using var device = Open(precision);
        var cells = LearningSamples.Stage("three", 2, 0, 1, 2).Tokens;
        var together = Probabilities(device, AfterOne.Value, cells, cells.Count);
        Assert.Equal(together, Probabilities(device, AfterOne.Value, cells, 1));
        Assert.Equal(together.Chunk(3).Reverse().SelectMany(cell => cell), Probabilities(device, AfterOne.Value, cells, 4, reversed: true));
    }

    private static CudaPrecision Precision(string name) => CudaPrecision.All.Single(p => p.Name == name);

    private CudaDevice Open(string precision) => TestDevices.Cuda(kind, Precision(precision));

    private static StageResult Learn(Device device, AnnotationModel previous, StageCells cells, LearningSettings settings) =>
        new StageTrainer(device).Learn(previous, cells, settings, StageCompany.Alone, new LearningContext());

    private static AnnotationModel OnTheProcessor(AnnotationModel previous, StageCells cells)
    {
        using var device = new CpuDevice(new CpuOptions());
        return Learn(device, previous, cells, LearningSamples.Settings).Model;
    }

    // [cells, types], some cells at a time.
    private static float[] Probabilities(CudaDevice device, AnnotationModel model, ICellTokens tokens, int atATime, bool reversed = false)
    {
        using var network = new CellTypeNetwork(device, model);
        using var inference = new CellTypeInference(network);
        var cells = Enumerable.Range(0, tokens.Count).ToArray();
        if (reversed) Array.Reverse(cells);
        var all = new List<float>();
        foreach (var some in cells.Chunk(Math.Min(atATime, inference.BatchCells)))
        {
            var logits = device.Read<float>(inference.Forward(tokens, some).Logits.Value.Slice(0, some.Length));
            foreach (var row in logits.Chunk(network.Types))
            {
                var sum = row.Sum(z => Math.Exp(z - row.Max()));
                all.AddRange(row.Select(z => (float)(Math.Exp(z - row.Max()) / sum)));
            }
            inference.End();
        }
        return [.. all];
    }

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

/// <summary>Emulated.</summary>
public sealed class EmulatedLearningTests() : CudaLearningTests(TestDevice.Emulated);

/// <summary>On a card.</summary>
[Trait("Device", "gpu"), Collection("gpu")]
public sealed class DriverLearningTests() : CudaLearningTests(TestDevice.Card);
