using System.Globalization;

namespace Canal.Learning;

/// <summary>How masked-expression pre-training runs (method.md section 7). Immutable.</summary>
/// <remarks>
/// scBERT's rate of 1e-4 and accumulation of 60 batches of 3 over up to 100 epochs belong to millions of cells. The defaults, those of the
/// command and of a stream file alike, are for a few thousand, which learn with ten times the rate. By default the number of cells an
/// update is chosen so that an epoch has at least <see cref="LearningSettings.ShortEpochSteps"/> updates, and never more than scBERT's 180
/// cells an update.
/// </remarks>
public sealed record PretrainSettings
{
    /// <summary>Cells an update in scBERT: 60 accumulated batches of 3.</summary>
    public const int ReferenceCellsPerUpdate = 180;

    /// <summary>Most epochs, by default.</summary>
    public const int DefaultEpochs = 30;

    /// <summary>Stops when more than this many epochs in a row are no better, by default.</summary>
    public const int DefaultPatience = 10;

    /// <summary>Cells a forward and backward pass, by default.</summary>
    public const int DefaultBatch = 14;

    /// <summary>Largest learning rate, by default.</summary>
    public const double DefaultRate = 1e-3;

    /// <summary>Most epochs.</summary>
    public int MaxEpochs { get; init; } = DefaultEpochs;

    /// <summary>Stops when more than this many epochs in a row are no better.</summary>
    public int Patience { get; init; } = DefaultPatience;

    /// <summary>Cells a forward and backward pass.</summary>
    public int Batch { get; init; } = DefaultBatch;

    /// <summary>Batches an update; 0 chooses by the number of cells.</summary>
    public int Accumulation { get; init; }

    /// <summary>Largest learning rate.</summary>
    public double Rate { get; init; } = DefaultRate;

    /// <summary>Unit of the schedule.</summary>
    public ScheduleKind Schedule { get; init; }

    /// <summary>Gradients are clipped to this Euclidean norm.</summary>
    public double MaximumGradientNorm { get; init; } = 100;

    /// <summary>Share of cells that validate.</summary>
    public double ValidationShare { get; init; } = 0.05;

    /// <summary>Seed of every random decision.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Batches an update for a number of training cells: a whole number of batches, at most scBERT's 180 cells, at least 100 updates an epoch where there are cells enough.</summary>
    public int AccumulationFor(int trainingCells) => Accumulation > 0
        ? Accumulation
        : Math.Max(1, Math.Min(ReferenceCellsPerUpdate, trainingCells / LearningSettings.ShortEpochSteps) / Batch);

    /// <summary>Throws for a value out of range, with its name and range.</summary>
    /// <exception cref="UserException">Says which value, and what it may be.</exception>
    public PretrainSettings Validated()
    {
        Check(MaxEpochs is >= 1 and <= 100_000, "max_epochs", MaxEpochs, "1 to 100000");
        Check(Patience is >= 0 and <= 100_000, "patience", Patience, "0 to 100000");
        Check(Batch is >= 1 and <= 65_536, "batch", Batch, "1 to 65536");
        Check(Accumulation is >= 0 and <= 65_536, "accumulation", Accumulation, "0 to 65536");
        Check(Rate is > 0 and <= 1, "rate", Rate, "above 0 and at most 1");
        Check(MaximumGradientNorm > 0, "clip", MaximumGradientNorm, "above 0");
        Check(ValidationShare is > 0 and <= 0.5, "validation", ValidationShare, "above 0 and at most 0.5");
        return this;
    }

    /// <summary>Every setting as text, by the name that a stream file gives it.</summary>
    public SortedDictionary<string, string> Describe()
    {
        static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
        return new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["max_epochs"] = Text(MaxEpochs),
            ["patience"] = Text(Patience),
            ["batch"] = Text(Batch),
            ["accumulation"] = Text(Accumulation),
            ["rate"] = Text(Rate),
            ["schedule"] = Text(Schedule),
            ["clip"] = Text(MaximumGradientNorm),
            ["validation"] = Text(ValidationShare),
            ["seed"] = Text(Seed),
        };
    }

    private static void Check(bool holds, string name, double value, string range)
    {
        if (!holds) throw new UserException(string.Create(CultureInfo.InvariantCulture, $"pretrain {name} is {value}; it must be {range}."));
    }
}
