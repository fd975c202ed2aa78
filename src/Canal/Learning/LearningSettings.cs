using System.Globalization;

namespace Canal.Learning;

/// <summary>Which parts of the network train in a stage; the final norm and the head train with each.</summary>
public enum TrainableParts : byte
{
    /// <summary>The final norm and the head only.</summary>
    Head,

    /// <summary>And the last-but-one encoder block: CANAL's choice. With a single block, that block.</summary>
    LastButOne,

    /// <summary>And the last two encoder blocks.</summary>
    LastTwo,

    /// <summary>Everything, the embeddings included.</summary>
    All,
}

/// <summary>In what unit the learning-rate schedule counts.</summary>
public enum ScheduleKind : byte
{
    /// <summary>By steps where an epoch has under <see cref="LearningSettings.ShortEpochSteps"/> steps, else by epochs.</summary>
    Auto,

    /// <summary>By epochs, as CANAL: one rate an epoch.</summary>
    Epochs,

    /// <summary>By steps: warm-up and cosine over the steps of the longest possible run.</summary>
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

    /// <summary>Most epochs.</summary>
    public int MaxEpochs { get; init; } = 100;

    /// <summary>Stops when more than this many epochs in a row are no better.</summary>
    public int Patience { get; init; } = 10;

    /// <summary>Cells a step.</summary>
    public int Batch { get; init; } = 14;

    /// <summary>Largest learning rate.</summary>
    public double Rate { get; init; } = 2e-4;

    /// <summary>Unit of the schedule.</summary>
    public ScheduleKind Schedule { get; init; }

    /// <summary>Weight of distillation before the factor K_old / K.</summary>
    public double Lambda { get; init; } = 0.1;

    /// <summary>Label smoothing s: target (1 - s) one-hot + s / K.</summary>
    public double Smoothing { get; init; } = 0.1;

    /// <summary>Gradients are clipped to this Euclidean norm; infinity does not clip (CANAL).</summary>
    public double MaximumGradientNorm { get; init; } = double.PositiveInfinity;

    /// <summary>L: most cells of the example bank; 0 keeps none.</summary>
    public int BankCapacity { get; init; } = 1000;

    /// <summary>How the bank chooses a type's cells, as <c>--bank-policy</c> names it.</summary>
    public string BankPolicy { get; init; } = "random";

    /// <summary>What trains.</summary>
    public TrainableParts Trainable { get; init; } = TrainableParts.LastButOne;

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

    private static void Check(bool holds, string name, double value, string range)
    {
        if (!holds) throw new UserException(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; it must be {range}."));
    }
}
