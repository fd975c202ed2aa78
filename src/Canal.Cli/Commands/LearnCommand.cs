using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Learning;
using Canal.Models;
using CommandLine;
using CommandLine.Text;
using LearningDefaults = Canal.Learning.LearningSettings;

namespace Canal.Cli.Commands;

/// <summary>One stage: a model learns a labelled study without forgetting the earlier ones.</summary>
[Verb("learn", HelpText = "Teach a model one labelled study, new cell types included, without forgetting the earlier ones.")]
internal sealed class LearnCommand : NewModelOptions, ICommand, ILabelOptions
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("The first study, on a base model", new LearnCommand { Data = "a.h5ad", Model = "base.safetensors", Output = "stage1.safetensors" }),
        Help.Example("The next one", new LearnCommand { Data = "b.h5ad", Model = "stage1.safetensors", Output = "stage2.safetensors" }),
        Help.Example("Without a base model", new LearnCommand { Data = "a.h5ad", FromScratch = true, Output = "stage1.safetensors" }),
    ];

    [Value(0, MetaName = "DATA", Required = true, HelpText = "Labelled data set (.h5ad).")]
    public string Data { get; set; } = "";

    [Option('o', "output", Required = true, HelpText = "Model to write (.safetensors).")]
    public string Output { get; set; } = "";

    [Option('m', "model", HelpText = "The previous model: a base, or that of the stage before.")]
    public string? Model { get; set; }

    [Option("from-scratch", HelpText = "Start without a previous model: all blocks train, the gene panel is chosen on this study.")]
    public bool FromScratch { get; set; }

    [Option("label", Default = "cell_type", HelpText = "obs column with the cell types.")]
    public string Label { get; set; } = "cell_type";

    [Option("skip-unlabelled", HelpText = "Leave cells without a label out instead of refusing the file.")]
    public bool SkipUnlabelled { get; set; }

    [Option("stage-name", HelpText = "Name of the stage; it decides which cells validate (default: the hash of the file's content).")]
    public string? StageName { get; set; }

    [Option("epochs", Default = 100, HelpText = "Most epochs.")]
    public int Epochs { get; set; } = 100;

    [Option("patience", Default = 10, HelpText = "Stop when more epochs in a row than this are no better.")]
    public int Patience { get; set; } = 10;

    [Option("batch", Default = 14, HelpText = "Cells a step.")]
    public int Batch { get; set; } = 14;

    [Option("rate", HelpText = "Largest learning rate (default: 2e-4; from scratch 1e-3).")]
    public double? Rate { get; set; }

    [Option("schedule", Default = ScheduleKind.Auto, HelpText = "Learning rate by epochs (CANAL), by steps, or auto: by steps where an epoch has under 100.")]
    public ScheduleKind Schedule { get; set; }

    [Option("lambda", Default = 0.1, HelpText = "Weight of distillation from the previous model; 0 turns it off.")]
    public double Lambda { get; set; } = 0.1;

    [Option("bank", HelpText = "Most cells in the example bank; 0 keeps none (default: as many as the previous model's; 1000 for the first stage).")]
    public int? Bank { get; set; }

    [Option("bank-policy", HelpText = "How the bank chooses a type's cells: prototype (CANAL), random, herding or mixed (default: random).")]
    public string? Policy { get; set; }

    [Option("trainable", HelpText = "What trains: head, last-but-one, last-two or all (default: last-but-one, as CANAL; from scratch all).")]
    public string? Trainable { get; set; }

    [Option("acceptance", Default = 0.95, HelpText = "Share of known cells that the novelty calibration accepts.")]
    public double Acceptance { get; set; } = 0.95;

    [Option("restart", HelpText = "Forget an interrupted run and begin again.")]
    public bool Restart { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        if (FromScratch == (Model is not null)) throw new UserException("give either --model PREVIOUS or --from-scratch");
        if (Model is not null && GivenForNewModel() is { } option) throw new UserException($"{option} is for a new model (--from-scratch); the model given with --model keeps its genes and sizes");
        if (FromScratch && Trainable is not (null or "all")) throw new UserException($"--trainable {Trainable}: from scratch everything trains");
        var settings = LearningSettings().Validated();
        var (geometry, panel) = (Geometry(), PanelGenes());
        var folder = OutputFile.CheckModel(Output, Model is null ? [Data] : [Data, Model]);
        using var device = OpenDevice();
        using var progress = new ProgressPrinter(context);
        using var reader = DataSetReader.Open(Data, ForTraining(this, folder, StageName) with { Cancel = context.Stop });
        var previous = Model is null ? NewModel.Create([reader], Vocabulary, panel, geometry, Seed) : ModelFile.Load(Model);
        if (Bank is null && previous.Kind == ModelKind.Annotation) settings = settings with { BankCapacity = previous.Bank.Capacity };
        context.Stop.ThrowIfCancellationRequested();
        KeepWithinLimit(context, device, planner => planner.Learn(previous, reader.Rows.Count, NewTypes(previous), settings));
        var (prepared, cells) = DataSets.Stage(reader, previous.Panel);
        using (prepared)
        {
            // The process that reads is not needed any more, and its memory is.
            reader.Dispose();
            Say.Report(context, prepared.Report);
            Say.Device(context, this);
            using var run = RunFolder.Open(Output, Restart);
            var result = new StageTrainer(device).Learn(previous, cells, settings, StageCompany.Alone, new LearningContext
            {
                Folder = run, Progress = progress, Cancel = context.Stop, ScratchFolder = Scratch,
            });
            ModelFile.Save(result.Model, Output);
            run.Remove();
            progress.Dispose();
            Say.Trained(context, Json, Output, result.Model, result.Best, result.Schedule);
        }
        return ExitCodes.Done;
    }

    // Types of the stage are known when all its cells are read; how many there are hardly moves a plan.
    private static int NewTypes(AnnotationModel previous) => previous.Library.Count == 0 ? PlanCommand.UsualTypes : 1;

    private LearningSettings LearningSettings()
    {
        var settings = new LearningSettings
        {
            MaxEpochs = Epochs,
            Patience = Patience,
            Batch = Batch,
            Rate = Rate ?? (FromScratch ? LearningDefaults.DefaultScratchRate : LearningDefaults.DefaultRate),
            Schedule = Schedule,
            Lambda = Lambda,
            BankCapacity = Bank ?? LearningDefaults.DefaultBankCapacity,
            Trainable = TrainableParts.Parse(Trainable ?? (FromScratch ? "all" : "last-but-one")),
            AcceptanceRate = Acceptance,
            Seed = Seed,
        };
        return Policy is null ? settings : settings with { BankPolicy = BankPolicies.Parse(Policy) };
    }
}
