using System.Globalization;

namespace Canal.Learning;

/// <summary>Cells without labels, as tokens of one panel.</summary>
/// <param name="Tokens">Tokens of the cells of all files, one file behind the other.</param>
/// <param name="Validates">Which cells validate.</param>
/// <param name="Hash">Hash of the tokens and folds.</param>
internal sealed record PretrainCells(ICellTokens Tokens, bool[] Validates, string Hash);

/// <summary>What pre-training leaves behind; the network holds the best parameters.</summary>
/// <param name="History">Every epoch.</param>
/// <param name="Best">The epoch that was kept.</param>
/// <param name="Schedule">Which schedule ran.</param>
/// <param name="TrainingCells">Cells trained on.</param>
/// <param name="ValidationCells">Cells that validated.</param>
/// <param name="CellsPerStep">Cells an update.</param>
internal sealed record PretrainOutcome(
    IReadOnlyList<EpochRecord> History, EpochRecord Best, string Schedule, int TrainingCells, int ValidationCells, int CellsPerStep);

/// <summary>Masked-expression pre-training of a whole network (method.md section 7).</summary>
internal sealed class PretrainRun(MaskedExpressionNetwork network, PretrainCells cells, PretrainSettings settings)
{
    /// <summary>Is told of steps and epochs; null for none.</summary>
    public ITaskWatcher? Watcher { get; init; }

    /// <summary>Runs to the end.</summary>
    /// <exception cref="RunInterruptedException">It was cancelled; the state is written.</exception>
    public PretrainOutcome Run(RunContext run)
    {
        var all = Enumerable.Range(0, cells.Tokens.Count).ToArray();
        int[] training = [.. all.Where(c => !cells.Validates[c])], validation = [.. all.Where(c => cells.Validates[c])];
        if (training.Length == 0) throw new UserException("There is no cell to pre-train on.");
        BatchLimits.Check(settings.Batch, network.Encoder.Geometry, network.Encoder.Geometry.Tokens);
        var cellsPerStep = BatchLimits.CellsPerUpdate(settings.Batch, settings.AccumulationFor(training.Length));
        var steps = (training.Length + cellsPerStep - 1) / cellsPerStep;
        var schedule = RateSchedule.For(settings.Schedule, settings.Rate, steps, settings.MaxEpochs);
        run.Progress?.Report(LearningProgress.Say(string.Create(CultureInfo.InvariantCulture,
            $"{training.Length} training and {validation.Length} validation cells, {cellsPerStep} cells an update, {steps} updates an epoch; {schedule.Description}")));
        network.Parameters.Train(Engine.Optimizers.TrainableSet.All);
        using var task = new MaskedTask(network, cells.Tokens, training, validation, settings, steps);
        var loop = new TrainingLoop(WatchedTask.Of(task, Watcher), new LoopBudget(cellsPerStep, steps, settings.MaxEpochs, settings.Patience, null), schedule, settings.Seed, stage: 0);
        loop.Run(run);
        return new PretrainOutcome(loop.History, loop.BestEpoch, schedule.Description, training.Length, validation.Length, cellsPerStep);
    }
}
