using System.Diagnostics;
using System.Globalization;
using Canal.Engine.Random;

namespace Canal.Learning;

/// <summary>What a <see cref="TrainingLoop"/> trains: gradients of some cells, an update, a measurement, and its state as plain vectors.</summary>
internal interface ITrainingTask
{
    /// <summary>Number of training cells.</summary>
    int TrainingCells { get; }

    /// <summary>Forward and backward over the cells of one update, then the update. Losses stay on the device, in slot <paramref name="step"/> of the epoch.</summary>
    /// <param name="cells">Indices of training cells.</param>
    /// <param name="epoch">Complete epochs before this one.</param>
    /// <param name="step">Step within the epoch, 0-based.</param>
    /// <param name="rate">Learning rate.</param>
    void Step(ReadOnlySpan<int> cells, int epoch, int step, double rate);

    /// <summary>Mean loss and distillation term of the epoch's steps, read from the device.</summary>
    (double Loss, double Distillation) EpochLoss(int steps);

    /// <summary>Accuracy and mean loss on the validation cells; NaN where there are none.</summary>
    (double Accuracy, double Loss) Validate(CancellationToken cancel);

    /// <summary>Copies of everything that training changes, and of the losses of the epoch's first steps.</summary>
    Dictionary<string, float[]> Capture(int stepsInEpoch);

    /// <summary>The opposite of <see cref="Capture"/>, after <paramref name="updates"/> updates in all.</summary>
    void Restore(IReadOnlyDictionary<string, float[]> vectors, int stepsInEpoch, long updates);

    /// <summary>A copy of the parameters alone.</summary>
    float[] CaptureParameters();

    /// <summary>Sets the parameters alone.</summary>
    void RestoreParameters(float[] parameters);
}

/// <summary>What surrounds a run.</summary>
/// <param name="Folder">Where its state lies; null keeps none.</param>
/// <param name="Settings">What a state must agree with: name and value.</param>
/// <param name="Progress">Told what happens; may be null.</param>
/// <param name="Cancel">Finishes the step, writes the state and throws.</param>
internal sealed record RunContext(
    RunFolder? Folder, IReadOnlyList<KeyValuePair<string, string>> Settings, IProgress<LearningProgress>? Progress, CancellationToken Cancel)
{
    /// <summary>What an interrupted run throws: with a state to go on from, the name of its folder.</summary>
    public OperationCanceledException Interrupted() => Folder is not { HasState: true } ? new OperationCanceledException(Cancel) : new RunInterruptedException(Folder.Path);
}

/// <summary>How long a loop runs and how it counts.</summary>
/// <param name="CellsPerStep">Cells of a step; the last one of a pass may have fewer.</param>
/// <param name="StepsPerEpoch">Steps of an epoch.</param>
/// <param name="MaxEpochs">Most epochs.</param>
/// <param name="Patience">Stops when more epochs in a row than this are no better.</param>
/// <param name="ExactEpochs">Where given: exactly so many epochs, whatever validation says (ablations, at the full run's number of steps).</param>
internal sealed record LoopBudget(int CellsPerStep, int StepsPerEpoch, int MaxEpochs, int Patience, int? ExactEpochs);

/// <summary>
/// The run state machine that pre-training and stages share: seeded epoch order, schedule, validation, the best epoch kept, early
/// stopping, state written at epoch ends and every half minute, and a clean stop. A resumed run has the bits of an unbroken one.
/// </summary>
internal sealed class TrainingLoop(ITrainingTask task, LoopBudget budget, RateSchedule schedule, ulong seed, int stage)
{
    /// <summary>A kill loses at most the work of this many seconds (and of one step).</summary>
    private static readonly TimeSpan StateEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(200);

    private const string Best = "best";
    private readonly List<EpochRecord> history = [];
    private readonly int[] order = new int[task.TrainingCells];
    private readonly int stepsPerPass = (task.TrainingCells + budget.CellsPerStep - 1) / budget.CellsPerStep;
    private long orderPass = -1;
    private int bestIndex = -1;
    private float[]? best;

    /// <summary>Results of the epochs run.</summary>
    public IReadOnlyList<EpochRecord> History => history;

    /// <summary>The epoch whose parameters were kept.</summary>
    public EpochRecord BestEpoch => history[bestIndex];

    /// <summary>Trains to the end and leaves the best epoch's parameters in the task.</summary>
    /// <param name="run">Where the state lies, what it must agree with, who is told, and what stops it.</param>
    /// <exception cref="RunInterruptedException">It was cancelled.</exception>
    public void Run(RunContext run)
    {
        var (firstStep, steps) = Resume(run);
        while (!IsOver())
        {
            steps = TrainEpoch(firstStep, steps, run);
            firstStep = 0;
            EndEpoch(steps, run);
            Save(run, stepsInEpoch: 0, steps);
            if (run.Cancel.IsCancellationRequested) throw run.Interrupted();
        }
        task.RestoreParameters(best!);
    }

    private (int FirstStep, long Steps) Resume(RunContext run)
    {
        if (run.Folder is not { } folder || RunState.Read(folder.StatePath, run.Settings) is not { } state) return (0, 0);
        history.AddRange(state.History);
        bestIndex = state.BestIndex;
        try
        {
            RequireConsistent(state);
            best = bestIndex < 0 ? null : state.Vectors[Best];
            task.Restore(state.Vectors, state.StepsInEpoch, state.Steps);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or KeyNotFoundException or OverflowException or IndexOutOfRangeException)
        {
            throw RunState.Damaged(folder.StatePath, e);
        }
        run.Progress?.Report(LearningProgress.Say(string.Create(CultureInfo.InvariantCulture, $"going on from {folder.Path}: epoch {state.Epochs + 1}, step {state.StepsInEpoch + 1}")));
        return (state.StepsInEpoch, state.Steps);
    }

    /// <summary>The checksum of a state says that it is as it was written, not that this program wrote it.</summary>
    private void RequireConsistent(RunState state)
    {
        var counted = state.Epochs == state.History.Count && state.StepsInEpoch >= 0 && state.StepsInEpoch <= budget.StepsPerEpoch
            && state.Steps == (state.Epochs * (long)budget.StepsPerEpoch) + state.StepsInEpoch;
        var best = state.Epochs == 0 ? state.BestIndex == -1 : state.BestIndex >= 0 && state.BestIndex < state.Epochs && state.Vectors[Best].Length == state.Vectors["parameters"].Length;
        if (!counted || !best) throw new FormatException("counters that do not fit each other");
    }

    private long TrainEpoch(int firstStep, long steps, RunContext run)
    {
        var clock = Stopwatch.StartNew();
        var (lastState, lastReport, done) = (TimeSpan.Zero, TimeSpan.Zero, 0L);
        for (var step = firstStep; step < budget.StepsPerEpoch; step++)
        {
            if (run.Cancel.IsCancellationRequested)
            {
                Save(run, step, steps);
                throw run.Interrupted();
            }
            var cells = CellsOf(steps);
            task.Step(cells, history.Count, step, schedule.Rate(steps, budget.StepsPerEpoch));
            steps++;
            done += cells.Length;
            var now = clock.Elapsed;
            if (run.Progress is not null && now - lastReport > ReportEvery)
            {
                lastReport = now;
                Report(run.Progress, ((long)firstStep * budget.CellsPerStep) + done, done / now.TotalSeconds);
            }
            if (now - lastState > StateEvery)
            {
                Save(run, step + 1, steps);
                lastState = clock.Elapsed;
            }
        }
        return steps;
    }

    private void EndEpoch(long steps, RunContext run)
    {
        var (loss, distillation) = task.EpochLoss(budget.StepsPerEpoch);
        if (!double.IsFinite(loss)) throw Diverged("the loss");
        double accuracy, validationLoss;
        try
        {
            (accuracy, validationLoss) = task.Validate(run.Cancel);
        }
        catch (OperationCanceledException)
        {
            Save(run, budget.StepsPerEpoch, steps);
            throw run.Interrupted();
        }
        // Without validation cells both are NaN.
        if (!double.IsNaN(accuracy) && !double.IsFinite(validationLoss)) throw Diverged("the validation loss");
        history.Add(new EpochRecord(history.Count + 1, steps, schedule.Rate(steps - 1, budget.StepsPerEpoch), loss, distillation, accuracy, validationLoss));
        if (bestIndex < 0 || IsBetter(history[^1], history[bestIndex]))
        {
            bestIndex = history.Count - 1;
            best = task.CaptureParameters();
            if (!Array.TrueForAll(best, float.IsFinite)) throw Diverged("a weight", history.Count);
        }
        run.Progress?.Report(LearningProgress.Say(string.Create(
            CultureInfo.InvariantCulture,
            $"epoch {history.Count}: loss {loss:f4}, validation accuracy {accuracy:f4}, validation loss {validationLoss:f4}, rate {history[^1].Rate:g3}{(bestIndex == history.Count - 1 ? ", best so far" : "")}"))
            with { Epoch = history.Count, Loss = loss, ValidationAccuracy = accuracy });
    }

    private UserException Diverged(string what, int? epoch = null) =>
        new($"Training diverged: {what} of epoch {epoch ?? history.Count + 1} is not finite. Lower the learning rate (--rate).");

    // Strictly greater accuracy is better, ties go to the lower validation loss; without validation cells the training loss decides.
    private static bool IsBetter(EpochRecord now, EpochRecord before) => double.IsNaN(now.ValidationAccuracy)
        ? now.Loss < before.Loss
        : now.ValidationAccuracy > before.ValidationAccuracy || (now.ValidationAccuracy == before.ValidationAccuracy && now.ValidationLoss < before.ValidationLoss);

    private bool IsOver() => budget.ExactEpochs is { } exact
        ? history.Count >= exact
        : history.Count >= budget.MaxEpochs || history.Count - 1 - bestIndex > budget.Patience;

    // Passes over the training cells follow one another, each in its own random order; an epoch of the full method is one pass.
    private ReadOnlySpan<int> CellsOf(long step)
    {
        var pass = step / stepsPerPass;
        if (pass != orderPass)
        {
            new RandomSequence(seed, RandomPurpose.CellOrder, stage, checked((int)pass)).Permutation(order);
            orderPass = pass;
        }
        var first = (int)(step % stepsPerPass) * budget.CellsPerStep;
        return order.AsSpan(first, Math.Min(budget.CellsPerStep, order.Length - first));
    }

    private void Save(RunContext run, int stepsInEpoch, long steps)
    {
        if (run.Folder is null) return;
        var vectors = task.Capture(stepsInEpoch);
        if (best is not null) vectors[Best] = best;
        new RunState
        {
            Settings = run.Settings,
            Epochs = history.Count,
            StepsInEpoch = stepsInEpoch,
            Steps = steps,
            BestIndex = bestIndex,
            History = history,
            Vectors = vectors,
        }.Write(run.Folder.StatePath);
    }

    private void Report(IProgress<LearningProgress> progress, long done, double speed)
    {
        var last = history.Count == 0 ? null : history[^1];
        progress.Report(new LearningProgress(
            LearningPhase.Training, done, Math.Min(task.TrainingCells, (long)budget.StepsPerEpoch * budget.CellsPerStep), speed, history.Count + 1,
            last?.Loss ?? double.NaN, last?.ValidationAccuracy ?? double.NaN, null));
    }
}
