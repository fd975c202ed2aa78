using System.Globalization;
using Canal.Engine.Optimizers;

namespace Canal.Learning;

/// <summary>In what unit the learning-rate schedule counts.</summary>
public enum ScheduleKind : byte
{
    /// <summary>By steps where an epoch has under <see cref="LearningSettings.ShortEpochSteps"/> steps, else by epochs.</summary>
    Auto,

    /// <summary>By epochs, as CANAL: one rate an epoch.</summary>
    Epochs,

    /// <summary>By steps: one warm-up and one cosine, over the longest possible run but at most 15 epochs or 1,500 steps, whichever is more.</summary>
    Steps,
}

/// <summary>What is left out of a stage, to measure what it is worth. All variants take the same number of gradient steps as the full method.</summary>
public enum Ablation : byte
{
    /// <summary>The full method.</summary>
    None,

    /// <summary>The example bank is not trained on.</summary>
    NoReplay,

    /// <summary>No distillation term.</summary>
    NoDistillation,

    /// <summary>The bank is drawn uniformly over cells instead of the same number a type.</summary>
    NoBalance,

    /// <summary>Neither bank nor distillation: naive training on the new stage.</summary>
    FineTune,

    /// <summary>All stages' training cells so far, pooled: the upper bound. No bank, no distillation.</summary>
    Joint,
}

/// <summary>How one stage learns (method.md section 4). Immutable; part of what a resumed run must agree with.</summary>
public sealed record LearningSettings
{
    /// <summary>Below this many steps an epoch, <see cref="ScheduleKind.Auto"/> schedules by steps.</summary>
    public const int ShortEpochSteps = 100;

    /// <summary>Largest learning rate of a stage on a previous model, by default.</summary>
    public const double DefaultRate = 2e-4;

    /// <summary>Largest learning rate of a first stage from scratch, all of whose blocks train, by default.</summary>
    public const double DefaultScratchRate = 1e-3;

    /// <summary>Most cells of the example bank where no previous model has one, by default.</summary>
    public const int DefaultBankCapacity = 1000;

    /// <summary>Most epochs.</summary>
    public int MaxEpochs { get; init; } = 100;

    /// <summary>Stops when more than this many epochs in a row are no better.</summary>
    public int Patience { get; init; } = 10;

    /// <summary>Cells a step.</summary>
    public int Batch { get; init; } = 14;

    /// <summary>Largest learning rate.</summary>
    public double Rate { get; init; } = DefaultRate;

    /// <summary>Unit of the schedule.</summary>
    public ScheduleKind Schedule { get; init; }

    /// <summary>Weight of distillation before the factor K_old / K.</summary>
    public double Lambda { get; init; } = 0.1;

    /// <summary>Label smoothing s: target (1 - s) one-hot + s / K.</summary>
    public double Smoothing { get; init; } = 0.1;

    /// <summary>Gradients are clipped to this Euclidean norm; infinity does not clip (CANAL).</summary>
    public double MaximumGradientNorm { get; init; } = double.PositiveInfinity;

    /// <summary>L: most cells of the example bank; 0 keeps none.</summary>
    public int BankCapacity { get; init; } = DefaultBankCapacity;

    /// <summary>How the bank ranks a type's cells.</summary>
    public BankPolicy BankPolicy { get; init; } = BankPolicy.Random;

    /// <summary>What trains.</summary>
    public TrainableSet Trainable { get; init; } = TrainableSet.LastButOne;

    /// <summary>What is left out.</summary>
    public Ablation Ablation { get; init; }

    /// <summary>Seed of every random decision.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The acceptance rate of known cells that the novelty calibration aims at.</summary>
    public double AcceptanceRate { get; init; } = 0.95;

    /// <summary>Whether earlier cells are trained on again.</summary>
    public bool UsesReplay => Ablation is not (Ablation.NoReplay or Ablation.FineTune or Ablation.Joint) && BankCapacity > 0;

    /// <summary>Whether the previous model's representations are held on to.</summary>
    public bool UsesDistillation => Lambda > 0 && Ablation is not (Ablation.NoDistillation or Ablation.FineTune or Ablation.Joint);

    /// <summary>Throws for a value out of range, with its name and range.</summary>
    /// <exception cref="UserException">Says which value, and what it may be.</exception>
    public LearningSettings Validated()
    {
        Check(MaxEpochs is >= 1 and <= 100_000, "max_epochs", MaxEpochs, "1 to 100000");
        Check(Patience is >= 0 and <= 100_000, "patience", Patience, "0 to 100000");
        Check(Batch is >= 1 and <= 65_536, "batch", Batch, "1 to 65536");
        Check(Rate is > 0 and <= 1, "rate", Rate, "above 0 and at most 1");
        Check(Lambda is >= 0 and <= 1e6, "lambda", Lambda, "0 to 1e6");
        Check(Smoothing is >= 0 and < 1, "smoothing", Smoothing, "0 to below 1");
        Check(MaximumGradientNorm > 0, "clip", MaximumGradientNorm, "above 0");
        Check(BankCapacity is >= 0 and <= 10_000_000, "bank", BankCapacity, "0 to 10000000");
        Check(AcceptanceRate is > 0.5 and < 1, "acceptance", AcceptanceRate, "above 0.5 and below 1");
        return this;
    }

    /// <summary>Every setting as text, by the name that a stream file gives it: for provenance, and for telling an unfinished run from another.</summary>
    public SortedDictionary<string, string> Describe()
    {
        static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
        return new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["max_epochs"] = Text(MaxEpochs),
            ["patience"] = Text(Patience),
            ["batch"] = Text(Batch),
            ["rate"] = Text(Rate),
            ["schedule"] = Text(Schedule),
            ["lambda"] = Text(Lambda),
            ["smoothing"] = Text(Smoothing),
            ["clip"] = Text(MaximumGradientNorm),
            ["bank"] = Text(BankCapacity),
            ["bank_policy"] = Text(BankPolicy),
            ["trainable"] = Text(Trainable),
            ["ablation"] = StreamPlanReader.NameOf(Ablation),
            ["acceptance"] = Text(AcceptanceRate),
            ["seed"] = Text(Seed),
        };
    }

    private static void Check(bool holds, string name, double value, string range)
    {
        if (!holds) throw new UserException(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; it must be {range}."));
    }
}
