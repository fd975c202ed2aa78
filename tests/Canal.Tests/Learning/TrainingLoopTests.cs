using Canal.Engine.Optimizers;
using Canal.Learning;
using Canal.Testing;

namespace Canal.Tests.Learning;

/// <summary>The run state machine alone, over a task of a few numbers: what is tested here is order, counting, stopping and resuming.</summary>
public sealed class TrainingLoopTests : IDisposable
{
    private static readonly KeyValuePair<string, string>[] Settings = [new("rate", "0.1"), new("batch", "3")];
    private readonly TemporaryFolder temporary = new();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(7)]
    public void ResumedAfterInterruptionsAtAnyStep_ItEndsWithTheSameBits(int interval)
    {
        var whole = new ToyTask(20);
        var unbroken = Loop(whole, maxEpochs: 4);
        unbroken.Run(Bare);

        var output = temporary["model"];
        for (var attempt = 0; ; attempt++)
        {
            Assert.True(attempt < 100, "the run does not get on");
            using var folder = RunFolder.Open(output, restart: false);
            using var cancel = new CancellationTokenSource();
            var task = new ToyTask(20) { CancelAfter = interval, Cancel = cancel };     // a fresh process each time
            var loop = Loop(task, maxEpochs: 4);
            try
            {
                loop.Run(new RunContext(folder, Settings, null, cancel.Token));
            }
            catch (RunInterruptedException e)
            {
                Assert.Equal(folder.Path, e.Partial);
                continue;
            }
            Assert.Equal(unbroken.History, loop.History);
            Assert.Equal(whole.Parameters, task.Parameters);
            break;
        }
    }

    [Fact]
    public void OtherSettings_AreRefusedWithWhatDiffers_AndRestartForgets()
    {
        var output = temporary["model"];
        Interrupt(output);
        var other = new KeyValuePair<string, string>[] { new("rate", "0.2"), new("batch", "3") };
        using (var folder = RunFolder.Open(output, restart: false))
        {
            var error = Assert.Throws<UserException>(() => Loop(new ToyTask(20), 4).Run(new RunContext(folder, other, null, CancellationToken.None)));
            Assert.Contains("rate was 0.1, is 0.2", error.Message, StringComparison.Ordinal);
            Assert.Contains("--restart", error.Message, StringComparison.Ordinal);
        }
        using var again = RunFolder.Open(output, restart: true);
        var task = new ToyTask(20);
        Loop(task, 4).Run(new RunContext(again, other, null, CancellationToken.None));
        Assert.Equal(4 * 7, task.Steps);
    }

    [Fact]
    public void ADamagedState_IsRefused()
    {
        var output = temporary["model"];
        Interrupt(output);
        var state = Path.Combine(RunFolder.PathFor(output), "state.safetensors");
        var bytes = File.ReadAllBytes(state);
        bytes[^3] ^= 1;
        File.WriteAllBytes(state, bytes);
        using var folder = RunFolder.Open(output, restart: false);
        Assert.Throws<UserException>(() => Loop(new ToyTask(20), 4).Run(new RunContext(folder, Settings, null, CancellationToken.None)));
    }

    [Theory, InlineData("epochs"), InlineData("steps in the epoch"), InlineData("negative"), InlineData("steps"), InlineData("best index"), InlineData("no best"), InlineData("short"), InlineData("missing")]
    public void AStateThatContradictsItself_IsRefused(string what)
    {
        var output = temporary["model"];
        Interrupt(output);
        var path = Path.Combine(RunFolder.PathFor(output), "state.safetensors");
        var state = RunState.Read(path, Settings)!;
        Assert.Equal((1, 2, 9L, 0), (state.Epochs, state.StepsInEpoch, state.Steps, state.BestIndex));
        var spoilt = what switch
        {
            "epochs" => state with { Epochs = int.MaxValue },
            "steps in the epoch" => state with { StepsInEpoch = 8, Steps = 15 },
            "negative" => state with { StepsInEpoch = -1, Steps = 6 },
            "steps" => state with { Steps = long.MaxValue },
            "best index" => state with { BestIndex = 1 },
            "no best" => state with { BestIndex = -1 },
            "short" => state with { Vectors = state.Vectors.ToDictionary(v => v.Key, v => v.Key == "parameters" ? v.Value[..^1] : v.Value) },
            _ => state with { Vectors = state.Vectors.Where(v => v.Key != "losses").ToDictionary() },
        };
        spoilt.Write(path);
        using var folder = RunFolder.Open(output, restart: false);
        var error = Assert.Throws<UserException>(() => Loop(new ToyTask(20), 4).Run(new RunContext(folder, Settings, null, CancellationToken.None)));
        Assert.Contains("is damaged; delete", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TwoRunsCannotHoldOneFolder()
    {
        using var folder = RunFolder.Open(temporary["model"], restart: false);
        Assert.Throws<UserException>(() => RunFolder.Open(temporary["model"], restart: true));
    }

    [Fact]
    public void AnEpochVisitsEveryCellOnce_InAnotherOrderEachTime()
    {
        var task = new ToyTask(20);
        Loop(task, maxEpochs: 2).Run(Bare);
        Assert.Equal(Enumerable.Range(0, 20), task.Visited.Take(20).Order());
        Assert.Equal(Enumerable.Range(0, 20), task.Visited.Skip(20).Order());
        Assert.NotEqual(task.Visited.Take(20), task.Visited.Skip(20));
        Assert.Equal([3, 3, 3, 3, 3, 3, 2], task.BatchSizes.Take(7));
    }

    [Fact]
    public void TheBestEpochIsKept_TiesGoToTheLowerLoss_AndPatienceCounts()
    {
        var task = new ToyTask(6) { Results = [(0.5, 1), (0.7, 2), (0.7, 1.5), (0.7, 1.6), (0.6, 0.1), (0.7, 1.5), (0.9, 1)] };
        var loop = Loop(task, maxEpochs: 100, patience: 2);
        loop.Run(Bare);
        Assert.Equal(6, loop.History.Count);            // epochs 4, 5 and 6 are no better: more than 2 in a row
        Assert.Equal(3, loop.BestEpoch.Epoch);
        Assert.Equal(task.ParametersAtValidation[2], task.Parameters);
    }

    [Fact]
    public void WithoutPatienceRunningOut_TheBestIsStillKept()
    {
        var task = new ToyTask(6) { Results = [(0.5, 1), (0.9, 1), (0.7, 1)] };
        Loop(task, maxEpochs: 3).Run(Bare);
        Assert.Equal(task.ParametersAtValidation[1], task.Parameters);
    }

    [Fact]
    public void ExactEpochs_CountStepsOfTheFullRun_OverFewerCells()
    {
        var task = new ToyTask(6);
        var loop = new TrainingLoop(task, new LoopBudget(3, StepsPerEpoch: 5, MaxEpochs: 100, Patience: 0, ExactEpochs: 3), ByEpoch, seed: 1, stage: 1);
        loop.Run(Bare);
        Assert.Equal((3, 15), (loop.History.Count, task.Steps));
        for (var pass = 0; pass < 7; pass++) Assert.Equal(Enumerable.Range(0, 6), task.Visited.Skip(6 * pass).Take(6).Order());
    }

    [Fact]
    public void ADivergedLoss_EndsTheRunWithAdvice()
    {
        var task = new ToyTask(6) { Diverges = true };
        var error = Assert.Throws<UserException>(() => Loop(task, 3).Run(Bare));
        Assert.Contains("learning rate", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AValidationLossThatIsNotFinite_EndsTheRun_ButNoValidationCellsDoNot()
    {
        var diverged = new ToyTask(6) { Results = [(0.5, 1), (0.6, double.NaN), (0.7, 1)] };
        var error = Assert.Throws<UserException>(() => Loop(diverged, 3).Run(Bare));
        Assert.Contains("validation loss of epoch 2", error.Message, StringComparison.Ordinal);
        var none = new ToyTask(6) { Results = [(double.NaN, double.NaN), (double.NaN, double.NaN)] };
        var loop = Loop(none, 2);
        loop.Run(Bare);
        Assert.Equal(2, loop.History.Count);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void AWeightThatIsNotFinite_IsNeverKept(float weight)
    {
        var task = new ToyTask(6) { LastWeight = weight, Results = [(0.5, 1)] };
        var error = Assert.Throws<UserException>(() => Loop(task, 1).Run(Bare));
        Assert.Contains("a weight of epoch 1", error.Message, StringComparison.Ordinal);
        Assert.Contains("learning rate", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => temporary.Dispose();

    private static RunContext Bare => new(null, Settings, null, CancellationToken.None);

    private static RateSchedule ByEpoch => new("by epoch", new WarmRestarts(0.1), false);

    private static TrainingLoop Loop(ToyTask task, int maxEpochs, int patience = 10) =>
        new(task, new LoopBudget(3, (task.TrainingCells + 2) / 3, maxEpochs, patience, null), ByEpoch, seed: 5, stage: 1);

    private static void Interrupt(string output)
    {
        using var folder = RunFolder.Open(output, restart: false);
        using var cancel = new CancellationTokenSource();
        var task = new ToyTask(20) { CancelAfter = 9, Cancel = cancel };
        Assert.Throws<RunInterruptedException>(() => Loop(task, 4).Run(new RunContext(folder, Settings, null, cancel.Token)));
    }

    private sealed class ToyTask(int cells) : ITrainingTask
    {
        private float[] losses = new float[100];
        private long updates;

        public float[] Parameters { get; private set; } = [1, 2, 3];

        public List<int> Visited { get; } = [];

        public List<int> BatchSizes { get; } = [];

        public List<float[]> ParametersAtValidation { get; } = [];

        public (double, double)[]? Results { get; init; }

        public bool Diverges { get; init; }

        public float? LastWeight { get; init; }

        public int CancelAfter { get; init; } = int.MaxValue;

        public CancellationTokenSource? Cancel { get; init; }

        public int Steps { get; private set; }

        public int TrainingCells => cells;

        public void Step(ReadOnlySpan<int> batch, int epoch, int step, double rate)
        {
            Visited.AddRange(batch);
            BatchSizes.Add(batch.Length);
            updates++;
            foreach (var cell in batch) Parameters[cell % 3] += (float)(rate * Math.Sin(cell + updates + Parameters[(cell + 1) % 3]));
            losses[step] = Diverges ? float.NaN : Parameters[0] * Parameters[1];
            if (++Steps == CancelAfter) Cancel!.Cancel();
        }

        public (double Loss, double Distillation) EpochLoss(int steps) => (losses.Take(steps).Average(), 0);

        public (double Accuracy, double Loss) Validate(CancellationToken cancel)
        {
            cancel.ThrowIfCancellationRequested();
            ParametersAtValidation.Add([.. Parameters]);
            return Results is null ? (Math.Abs(Math.Sin(Parameters[2] * 100)), Parameters[0]) : Results[ParametersAtValidation.Count - 1];
        }

        public Dictionary<string, float[]> Capture(int stepsInEpoch) => new() { ["parameters"] = [.. Parameters], ["losses"] = losses[..stepsInEpoch] };

        public void Restore(IReadOnlyDictionary<string, float[]> vectors, int stepsInEpoch, long restored)
        {
            Parameters = [.. vectors["parameters"]];
            updates = restored;
            losses = new float[100];
            vectors["losses"].CopyTo(losses, 0);
        }

        public float[] CaptureParameters() => LastWeight is { } last ? [.. Parameters[..^1], last] : [.. Parameters];

        public void RestoreParameters(float[] parameters) => Parameters = [.. parameters];
    }
}
