using System.Globalization;
using Canal.Cli.Terminal;
using Canal.Learning;
using Canal.Planning;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>All stages of a stream file, with the accuracy matrix.</summary>
[Verb("stream", HelpText = "Run all stages of a stream file and print the accuracy matrix, forgetting and novelty.")]
internal sealed class StreamCommand : EngineOptions, ICommand
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("Run a stream; the same command resumes it", new StreamCommand { Plan = "stream.json" }),
        Help.Example("Beside the full method, what it forgets without replay", new StreamCommand { Plan = "stream.json", Ablate = "fine-tune,joint" }),
    ];

    [Value(0, MetaName = "PLAN", Required = true, HelpText = "Stream file (JSON; bench/streams/blood.json is an example).")]
    public string Plan { get; set; } = "";

    [Option("ablate", HelpText = "Variants to run beside the full method, separated by commas: no-replay, no-distillation, no-balance, fine-tune, joint.")]
    public string? Ablate { get; set; }

    [Option("bank-policies", HelpText = "Policies of the example bank to run beside the full method's, separated by commas: prototype, random, herding, mixed.")]
    public string? BankPolicies { get; set; }

    [Option("seeds", HelpText = "Seeds to run, separated by commas, instead of the stream file's.")]
    public string? Seeds { get; set; }

    [Option("from-scratch", HelpText = "Start without pre-training, whatever the stream file says.")]
    public bool FromScratch { get; set; }

    [Option('o', "output", HelpText = "Folder for models, matrices and logs, instead of the stream file's.")]
    public string? Output { get; set; }

    [Option("scratch", HelpText = "Folder for scratch files (default: in the output folder).")]
    public string? Scratch { get; set; }

    [Option("restart", HelpText = "Forget what an earlier run left in the output folder.")]
    public bool Restart { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        var plan = StreamPlanReader.Read(Plan);
        if (Ablate is not null) plan = plan with { Ablations = StreamPlanReader.ParseAblations(Ablate) };
        if (BankPolicies is not null) plan = plan with { BankPolicies = StreamPlanReader.ParseBankPolicies(BankPolicies) };
        if (Seeds is not null && GivenSeed is not null) throw new UserException("give either --seed or --seeds");
        if (Seeds is not null) plan = plan with { Seeds = ParseSeeds(Seeds) };
        if (GivenSeed is { } seed) plan = plan with { Seeds = [seed] };
        if (FromScratch) plan = plan with { Base = plan.Base with { Kind = StreamBaseKind.Scratch, ModelPath = null } };
        if (Output is not null) plan = plan with { Output = UserPath.Full(Output, "the output folder") };
        using var device = OpenDevice();
        using var progress = new ProgressPrinter(context);
        if (MemoryLimit is not null)
        {
            var sizes = StreamSizes.Of(plan);
            KeepWithinLimit(context, device, planner => StreamPlanner.Plan(plan, sizes, planner));
        }
        Say.Device(context, this);
        var outcome = new StreamRunner(device, plan) { Restart = Restart, ScratchFolder = Scratch }.Run(progress, context.Stop);
        progress.Dispose();
        if (Json) context.Out.Write(outcome.Measures.ToJson());
        else StreamTables.Write(context.Out, outcome, plan.Output);
        return ExitCodes.Done;
    }

    private static ulong[] ParseSeeds(string list)
    {
        var seeds = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(s => ulong.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed : throw new UserException($"--seeds: '{s}' is not a whole number"))
            .Distinct().ToArray();
        return seeds.Length > 0 ? seeds : throw new UserException("--seeds: give at least one whole number");
    }
}
