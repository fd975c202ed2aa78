namespace Canal.Learning;

/// <summary>What a long run is doing.</summary>
public enum LearningPhase : byte
{
    /// <summary>Reading and binning a data set.</summary>
    Reading,

    /// <summary>Computing the frozen blocks' outputs, once a stage.</summary>
    Prefix,

    /// <summary>Computing the teacher's representations, once a stage.</summary>
    Teacher,

    /// <summary>Training.</summary>
    Training,

    /// <summary>Measuring on validation cells.</summary>
    Validation,

    /// <summary>Ranking cells for the example bank.</summary>
    Bank,

    /// <summary>Fitting the novelty calibration.</summary>
    Calibration,

    /// <summary>Annotating cells.</summary>
    Annotation,

    /// <summary>Saying something once: a choice made, cells left out, an epoch's result.</summary>
    Note,
}

/// <summary>One report of a long run. <see cref="Done"/> and <see cref="Total"/> count cells of the phase; a value that is not known is NaN.</summary>
/// <param name="Phase">What is being done.</param>
/// <param name="Done">Cells done in this phase (this epoch, while training).</param>
/// <param name="Total">Cells of this phase; 0 where unknown.</param>
/// <param name="CellsPerSecond">Speed since the phase began; NaN where unknown.</param>
/// <param name="Epoch">Epoch, from 1; 0 outside training.</param>
/// <param name="Loss">Mean training loss of the last complete epoch; NaN before it.</param>
/// <param name="ValidationAccuracy">Accuracy on validation cells of the last complete epoch, 0 to 1; NaN before it.</param>
/// <param name="Message">One line for people; null in between.</param>
public readonly record struct LearningProgress(
    LearningPhase Phase, long Done, long Total, double CellsPerSecond, int Epoch, double Loss, double ValidationAccuracy, string? Message)
{
    /// <summary>A line for people.</summary>
    public static LearningProgress Say(string message) =>
        new(LearningPhase.Note, 0, 0, double.NaN, 0, double.NaN, double.NaN, message);
}
