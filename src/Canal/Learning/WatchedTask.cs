namespace Canal.Learning;

/// <summary>Is told when a training task's steps and epochs begin and end: a measurement, or a plan. Changes nothing.</summary>
internal interface ITaskWatcher
{
    /// <summary>A step over some cells is about to run.</summary>
    void StepBegins(int cells);

    /// <summary>A step over some cells has run.</summary>
    void StepEnds(int cells);

    /// <summary>An epoch has been validated.</summary>
    void EpochEnds();
}

/// <summary>A training task that tells a watcher.</summary>
internal sealed class WatchedTask(ITrainingTask inner, ITaskWatcher watcher) : ITrainingTask
{
    /// <summary>The task, watched where somebody watches.</summary>
    public static ITrainingTask Of(ITrainingTask task, ITaskWatcher? watcher) => watcher is null ? task : new WatchedTask(task, watcher);

    /// <inheritdoc/>
    public int TrainingCells => inner.TrainingCells;

    /// <inheritdoc/>
    public void Step(ReadOnlySpan<int> cells, int epoch, int step, double rate)
    {
        watcher.StepBegins(cells.Length);
        inner.Step(cells, epoch, step, rate);
        watcher.StepEnds(cells.Length);
    }

    /// <inheritdoc/>
    public (double Loss, double Distillation) EpochLoss(int steps) => inner.EpochLoss(steps);

    /// <inheritdoc/>
    public (double Accuracy, double Loss) Validate(CancellationToken cancel)
    {
        var measured = inner.Validate(cancel);
        watcher.EpochEnds();
        return measured;
    }

    /// <inheritdoc/>
    public Dictionary<string, float[]> Capture(int stepsInEpoch) => inner.Capture(stepsInEpoch);

    /// <inheritdoc/>
    public void Restore(IReadOnlyDictionary<string, float[]> vectors, int stepsInEpoch, long updates) => inner.Restore(vectors, stepsInEpoch, updates);

    /// <inheritdoc/>
    public float[] CaptureParameters() => inner.CaptureParameters();

    /// <inheritdoc/>
    public void RestoreParameters(float[] parameters) => inner.RestoreParameters(parameters);
}
