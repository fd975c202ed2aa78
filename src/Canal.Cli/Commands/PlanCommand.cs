using System.Text.Json;
using Canal.Cli.Terminal;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Plan;
using Canal.Learning;
using Canal.Models;
using Canal.Planning;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>Memory and time of a job before it runs.</summary>
[Verb("plan", HelpText = "Memory and time of a job before it runs.")]
internal sealed class PlanCommand : EngineOptions, ICommand
{
    /// <summary>New cell types of a first stage where nothing says how many there are.</summary>
    public const int UsualTypes = 10;

    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("Labelling 50,000 cells with a model", new PlanCommand { Job = "annotate", Model = "stage2.safetensors", Cells = 50_000 }),
        Help.Example("A stage of 5,000 cells, three types of them new, in at most 4 GiB", new PlanCommand { Job = "learn", Model = "stage1.safetensors", Cells = 5000, NewTypes = 3, MemoryLimit = "4G" }),
        Help.Example("The same on a card that this machine does not have", new PlanCommand { Job = "learn", Model = "stage1.safetensors", Cells = 5000, NewTypes = 3, DeviceName = "cuda", Precision = "bf16" }),
        Help.Example("Pre-training a model that does not exist yet", new PlanCommand { Job = "pretrain", Size = "scbert", Panel = 2000, Cells = 20_000 }),
    ];

    [Value(0, MetaName = "JOB", Required = true, HelpText = "annotate, explain, learn or pretrain.")]
    public string Job { get; set; } = "";

    [Option("cells", Required = true, HelpText = "Cells of the job.")]
    public int Cells { get; set; }

    [Option('m', "model", HelpText = "Model file (default: a new model of the sizes below).")]
    public string? Model { get; set; }

    [Option("size", Default = "small", HelpText = "New model: small or scbert.")]
    public string Size { get; set; } = "small";

    [Option("panel", Default = 1000, HelpText = "New model: genes of the panel.")]
    public int Panel { get; set; } = 1000;

    [Option("width", HelpText = "New model: model width, instead of the size's.")]
    public int? Width { get; set; }

    [Option("blocks", HelpText = "New model: number of encoder blocks, instead of the size's.")]
    public int? Blocks { get; set; }

    [Option("heads", HelpText = "New model: number of attention heads, instead of the size's.")]
    public int? Heads { get; set; }

    [Option("head-width", HelpText = "New model: width of a head, instead of the size's.")]
    public int? HeadWidth { get; set; }

    [Option("features", HelpText = "New model: random features a head, instead of the size's.")]
    public int? Features { get; set; }

    [Option("known-types", HelpText = "New model: cell types it knows already (default: 10 to annotate or explain, none to learn).")]
    public int? KnownTypes { get; set; }

    [Option("new-types", HelpText = "learn: cell types that the stage adds (default: 1, or 10 where the model knows none).")]
    public int? NewTypes { get; set; }

    [Option("from-scratch", HelpText = "learn, new model: no pre-training, so that all blocks train.")]
    public bool FromScratch { get; set; }

    [Option("trainable", Default = "last-but-one", HelpText = "learn: what trains: head, last-but-one, last-two or all.")]
    public string Trainable { get; set; } = "last-but-one";

    [Option("bank", HelpText = "learn: most cells in the example bank (default: as many as the model's; 1000 for the first stage).")]
    public int? Bank { get; set; }

    [Option("batch", Default = 14, HelpText = "learn, pretrain: cells a forward and backward pass.")]
    public int Batch { get; set; } = 14;

    [Option("epochs", HelpText = "learn, pretrain: most epochs (default: the command's).")]
    public int? Epochs { get; set; }

    [Option("counts-only", HelpText = "Do not time this machine: memory and work, but no time.")]
    public bool CountsOnly { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        ModelSizes.InRange(Cells, "--cells", 100_000_000);
        if (KnownTypes < 0 || NewTypes < 0) throw new UserException("--known-types and --new-types: give 0 or more");
        using var device = Open();
        var target = device is null ? PlanTarget.Cuda(ChosenDevice().Choice.Precision ?? CudaPrecision.Bf16) : PlanTarget.Of(device);
        var plan = Planned(target);
        context.Stop.ThrowIfCancellationRequested();
        Say.Device(context, this);
        var speed = CountsOnly || device is null ? null : MachineSpeed.Measure(device, plan.Configuration, plan.Batch);
        if (Json) context.Out.WriteLine(JsonSerializer.Serialize(PlanReport.Document(plan, speed), JsonOutput.Options));
        else PlanReport.Write(context.Out, plan, speed);
        return ExitCodes.Done;
    }

    // On the processor the limit is the process's and the pool gets what is left; on a card it is the pool's.
    private JobPlan Planned(PlanTarget target)
    {
        JobPlan Within(nuint? pool) => Plan(new JobPlanner(pool, target));
        if (MemoryLimitBytes is not { } limit) return Within(null);
        return Within(target.Kind == DeviceKind.Cpu ? new MemoryBudget((ulong)limit).PoolFor(Within) : (nuint)limit);
    }

    // Null where a card is asked for that is not here: its memory and work can be planned all the same. Without the limit, which is the plan's.
    private Device? Open()
    {
        var (choice, cpu) = ChosenDevice();
        try
        {
            var device = choice.Open(cpu with { MemoryLimit = null }, out var note);
            DeviceNote = note;
            return device;
        }
        catch (MachineException absent) when (choice.Kind == "cuda")
        {
            DeviceNote = "planned for a card that is not here, so nothing is timed: " + absent.Message;
            return null;
        }
    }

    private JobPlan Plan(JobPlanner planner) => Job switch
    {
        "annotate" => planner.Annotate(Annotating(), Cells),
        "explain" => planner.Explain(Annotating(), Cells),
        "learn" => Learn(planner),
        "pretrain" => planner.Pretrain(Fresh(), Cells, new PretrainSettings { Batch = Batch, MaxEpochs = Epochs ?? new PretrainCommand().Epochs, Seed = Seed }),
        _ => throw new UserException($"There is no job '{SafeText.OneLine(Job)}'; choose one of annotate, explain, learn, pretrain"),
    };

    private JobPlan Learn(JobPlanner planner)
    {
        if (FromScratch && (Model is not null || KnownTypes > 0)) throw new UserException("--from-scratch: a model that knows something is not from scratch; leave out --model and --known-types");
        var model = Model is not null ? ModelFile.Load(Model)
            : FromScratch ? Fresh()
            : KnownTypes > 0 ? StandIns.AfterStageOne(Configuration(), KnownTypes.Value, Bank ?? LearningSettings.DefaultBankCapacity, Seed)
            : StandIns.Base(Configuration(), Seed);
        var bank = Bank ?? (model.Kind == ModelKind.Annotation ? model.Bank.Capacity : LearningSettings.DefaultBankCapacity);
        var settings = new LearningSettings
        {
            Batch = Batch, MaxEpochs = Epochs ?? new LearnCommand().Epochs, BankCapacity = bank, Trainable = TrainableParts.Parse(Trainable), Seed = Seed,
        };
        return planner.Learn(model, Cells, NewTypes ?? (model.Library.Count == 0 ? UsualTypes : 1), settings.Validated());
    }

    private AnnotationModel Annotating() => Model is not null ? ModelFile.Load(Model) : StandIns.AfterStageOne(Configuration(), Math.Max(1, KnownTypes ?? UsualTypes), 0, Seed);

    private AnnotationModel Fresh() => Model is not null
        ? throw new UserException($"{Job}: pre-training starts from a new model; leave out --model and give --size and --panel")
        : StandIns.Fresh(Configuration(), Seed);

    private ModelConfiguration Configuration()
    {
        var geometry = ModelSizes.Geometry(Size, Width, Blocks, Heads, HeadWidth, Features);
        return new ModelConfiguration
        {
            Genes = ModelSizes.InRange(Panel, "--panel", ushort.MaxValue),
            Width = geometry.Width,
            Blocks = geometry.Blocks,
            Heads = geometry.Heads,
            HeadWidth = geometry.HeadWidth,
            Features = geometry.Features,
        };
    }
}
