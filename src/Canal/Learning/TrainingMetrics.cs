namespace Canal.Learning;

/// <summary>What a model's provenance keeps of a training, whether it was a stage or pre-training.</summary>
internal static class TrainingMetrics
{
    /// <summary>The metrics that are known, by name.</summary>
    public static SortedDictionary<string, double> Of(IReadOnlyList<EpochRecord> history, EpochRecord best, int trainingCells, int validationCells, int? cellsPerStep = null)
    {
        var metrics = new SortedDictionary<string, double>(StringComparer.Ordinal);
        Add("epochs", history.Count);
        Add("best_epoch", best.Epoch);
        Add("steps", history[^1].Steps);
        if (cellsPerStep is { } cells) Add("cells_per_step", cells);
        Add("training_cells", trainingCells);
        Add("validation_cells", validationCells);
        Add("training_loss", best.Loss);
        Add("validation_accuracy", best.ValidationAccuracy);
        Add("validation_loss", best.ValidationLoss);
        return metrics;

        // Not every training validates; JSON knows no NaN.
        void Add(string name, double value)
        {
            if (double.IsFinite(value)) metrics.Add(name, value);
        }
    }
}
