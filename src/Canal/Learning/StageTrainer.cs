using System.Globalization;
using Canal.Engine.Devices;
using Canal.Engine.Optimizers;
using Canal.Models;

namespace Canal.Learning;

/// <summary>What surrounds a stage or a pre-training: where its state lies, who is told, what stops it.</summary>
public sealed record LearningContext
{
    /// <summary>Where the state lies while it runs; null keeps none. The caller removes it when the model is written.</summary>
    public RunFolder? Folder { get; init; }

    /// <summary>Told what happens.</summary>
    public IProgress<LearningProgress>? Progress { get; init; }

    /// <summary>Finishes the step, writes the state and throws <see cref="RunInterruptedException"/>.</summary>
    public CancellationToken Cancel { get; init; }

    /// <summary>Folder for scratch files; null for <see cref="Folder"/>, else the system's temporary folder.</summary>
    public string? ScratchFolder { get; init; }

    /// <summary>Where scratch files go.</summary>
    internal string Scratch => ScratchFolder ?? Folder?.Path ?? Path.GetTempPath();
}

/// <summary>What an ablation of a stream needs besides the stage itself.</summary>
/// <param name="Earlier">Cells of all earlier stages, for <see cref="Ablation.Joint"/>.</param>
/// <param name="Budget">Length of the full run that it has to keep to; null to stop by itself.</param>
public sealed record StageCompany(IReadOnlyList<StageCells> Earlier, FixedBudget? Budget)
{
    /// <summary>The full method.</summary>
    public static StageCompany Alone { get; } = new([], null);
}

/// <summary>A stage's result.</summary>
/// <param name="Model">The model, not yet written.</param>
/// <param name="History">Every epoch.</param>
/// <param name="Best">The epoch that was kept.</param>
/// <param name="Schedule">Which schedule ran.</param>
/// <param name="Budget">Its length, for ablations.</param>
public sealed record StageResult(AnnotationModel Model, IReadOnlyList<EpochRecord> History, EpochRecord Best, string Schedule, FixedBudget Budget);

/// <summary>
/// Teaches a model one stage (method.md section 4): its library grows, its bank is trained on again, its previous representations are held
/// on to, the best epoch is kept, bank and novelty calibration are brought up to date.
/// </summary>
public sealed class StageTrainer(Device device)
{
    private const int FewestTypes = 2;

    /// <summary>Whether frozen outputs and the teacher are computed once a stage; false computes frozen outputs in every step, with the same bits.</summary>
    public bool Caches { get; init; } = true;

    /// <summary>Is told of steps and epochs; null for none.</summary>
    internal ITaskWatcher? Watcher { get; init; }

    /// <summary>Runs one stage.</summary>
    /// <param name="previous">The model before: an annotation model, a base, or a fresh base without provenance, all of whose blocks then train (<c>--from-scratch</c>).</param>
    /// <param name="cells">The stage's labelled cells, tokens of the model's panel.</param>
    /// <param name="settings">How it learns.</param>
    /// <param name="company">For ablations.</param>
    /// <param name="context">Surroundings.</param>
    /// <exception cref="UserException">The library would have fewer than two types or more than the bank has places, or an unfinished run has other settings.</exception>
    /// <exception cref="RunInterruptedException">It was cancelled; the state is written.</exception>
    public StageResult Learn(AnnotationModel previous, StageCells cells, LearningSettings settings, StageCompany company, LearningContext context)
    {
        settings = settings.Validated();
        var (grown, input) = Prepare(previous, cells, settings, company);
        if (Unfit(previous.Bank, settings, grown.Library.Count) is > 0 and var unfit)
        {
            context.Progress?.Report(LearningProgress.Say(string.Create(CultureInfo.InvariantCulture,
                $"the example bank now has {settings.BankCapacity:N0} places instead of {previous.Bank.Capacity:N0}: {unfit:N0} of its {previous.Bank.Count:N0} cells no longer fit and are dropped")));
        }
        using var network = new CellTypeNetwork(device, grown);
        var run = new StageRun(network, grown, input, settings) { Caches = Caches, ScratchFolder = context.Scratch, Watcher = Watcher };
        var outcome = run.Run(new RunContext(context.Folder, Identity(previous, cells, settings, company, device), context.Progress, context.Cancel));
        var model = grown.WithWeights(network.Parameters) with
        {
            Bank = outcome.Bank,
            Novelty = outcome.Calibration,
            Provenance = [.. previous.Provenance, Record(input.Stage, cells, settings, outcome)],
        };
        return new StageResult(model, outcome.History, outcome.Best, outcome.Schedule, new FixedBudget(outcome.StepsPerEpoch, outcome.History.Count));
    }

    /// <summary>Runs one epoch of the stage for a plan, on a device that only counts.</summary>
    internal StageRun Rehearse(AnnotationModel previous, StageCells cells, LearningSettings settings)
    {
        var (grown, input) = Prepare(previous, cells, settings.Validated(), StageCompany.Alone);
        using var network = new CellTypeNetwork(device, grown);
        var run = new StageRun(network, grown, input, settings) { Caches = Caches, Rehearses = true, Watcher = Watcher };
        run.Run(new RunContext(null, [], null, CancellationToken.None));
        return run;
    }

    private static (AnnotationModel Grown, StageInput Input) Prepare(AnnotationModel previous, StageCells cells, LearningSettings settings, StageCompany company)
    {
        var stage = previous.Stages + 1;
        var library = Grow(previous.Library, stage, cells, settings, company.Earlier);
        var bank = Resize(previous.Bank, settings.BankCapacity, previous.Library.Count);
        return (previous.Grow(library, settings.Seed), new StageInput(stage, previous.Library, bank, cells, company.Earlier, company.Budget, TrainableFor(previous, settings)));
    }

    /// <summary>The types known after a stage.</summary>
    /// <exception cref="UserException">There would be fewer than two, or more than the bank has places, or a name cannot be.</exception>
    internal static CellTypeLibrary Grow(CellTypeLibrary known, int stage, StageCells cells, LearningSettings settings, IReadOnlyList<StageCells> earlier)
    {
        var library = known.Grow(earlier.Aggregate(cells.Labels.AsEnumerable(), (all, e) => all.Concat(e.Labels)), stage);
        if (library.Count < FewestTypes)
        {
            throw new UserException($"After stage {cells.Name} the model would know {library.Count} cell type{(library.Count == 1 ? $" ({library.Names[0]})" : "s")}; it takes at least two to tell apart. Add cells of another type.");
        }
        if (settings.UsesReplay) ExampleBank.Quota(settings.BankCapacity, library.Count);
        return library;
    }

    private static TrainableSet TrainableFor(AnnotationModel previous, LearningSettings settings)
    {
        var set = previous.Provenance.Count == 0 ? TrainableSet.All : settings.Trainable;
        return set == TrainableSet.All && previous.GeneEmbeddingIsFixed ? TrainableSet.AllButGeneEmbedding : set;
    }

    // Cells of earlier stages beyond the quotas of a bank that was made smaller.
    private static int Unfit(ExampleBank bank, LearningSettings settings, int types)
    {
        if (settings.BankCapacity >= bank.Capacity || settings.Ablation != Ablation.None) return 0;
        var quota = settings.BankCapacity / types;
        var validation = ExampleBank.ValidationPlaces(quota);
        return bank.Examples.GroupBy(e => (e.Label, e.Validates)).Sum(g => Math.Max(0, g.Count() - (g.Key.Validates ? validation : quota - validation)));
    }

    // A smaller bank keeps what ranks highest within the new quota; a larger one just has room.
    private static ExampleBank Resize(ExampleBank bank, int capacity, int types)
    {
        if (capacity >= bank.Count || types == 0) return new ExampleBank(capacity, bank.Examples);
        var quota = capacity / types;
        var validation = ExampleBank.ValidationPlaces(quota);
        return new ExampleBank(capacity, bank.Examples.GroupBy(e => (e.Label, e.Validates))
            .SelectMany(g => g.OrderBy(e => e.Rank).ThenBy(e => e.Stage).Take(g.Key.Validates ? validation : quota - validation)));
    }

    // What decides the bits of the result: an unfinished run is gone on with only if all of it agrees.
    private static List<KeyValuePair<string, string>> Identity(AnnotationModel previous, StageCells cells, LearningSettings settings, StageCompany company, Device device)
    {
        var identity = settings.Describe();
        identity["canal"] = SoftwareVersion;
        identity["numerics"] = device.Numerics;
        identity["previous model"] = ModelIdentity.Of(previous);
        identity["cells"] = cells.Hash();
        foreach (var (earlier, index) in company.Earlier.Select((e, i) => (e, i))) identity[string.Create(CultureInfo.InvariantCulture, $"cells of stage {index + 1}")] = earlier.Hash();
        if (company.Budget is { } budget) identity["length"] = string.Create(CultureInfo.InvariantCulture, $"{budget.Epochs} epochs of {budget.StepsPerEpoch} steps");
        return [.. identity];
    }

    private static StageRecord Record(int stage, StageCells cells, LearningSettings settings, StageOutcome outcome)
    {
        var described = settings.Describe();
        described["schedule"] = outcome.Schedule;
        return new StageRecord
        {
            Stage = stage,
            Name = cells.Name,
            DataHash = cells.SourceHash,
            Cells = cells.Count,
            CellsLeftOut = cells.LeftOut,
            Seed = settings.Seed,
            SoftwareVersion = SoftwareVersion,
            Simulated = cells.Simulated,
            Settings = described,
            Metrics = TrainingMetrics.Of(outcome.History, outcome.Best, outcome.TrainingCells, outcome.ValidationCells),
        };
    }

    /// <summary>Version of Canal, as models and states carry it.</summary>
    internal static string SoftwareVersion => typeof(StageTrainer).Assembly.GetName().Version?.ToString(3) ?? "0";
}
