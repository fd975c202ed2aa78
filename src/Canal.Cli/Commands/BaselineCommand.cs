using System.Globalization;
using Canal.Data;
using Canal.Evaluation;
using Canal.Learning;
using Canal.Models;
using Canal.Planning;
using CommandLine;
using CommandLine.Text;
using StreamTestSet = Canal.Learning.StreamTest;

namespace Canal.Cli.Commands;

/// <summary>Multinomial logistic regression on the same genes and split: what every result is to be printed beside.</summary>
[Verb("baseline", HelpText = "Logistic regression on the same genes and split, to be printed beside every result.")]
internal sealed class BaselineCommand : DataOptions, ICommand, ILabelOptions
{
    // For the memory that weights take; more types take little more.
    private const int MostTypes = 20;

    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("All stages of a stream: joint, current only, replay", new BaselineCommand { Data = "stream.json" }),
        Help.Example("One study for training, one for testing, on the genes of a model", new BaselineCommand { Data = "a.h5ad", Test = "b.h5ad", Model = "stage2.safetensors" }),
        Help.Example("One study with its own split", new BaselineCommand { Data = "a.h5ad", Where = "split == train", Test = "a.h5ad", TestWhere = "split == test" }),
    ];

    [Value(0, MetaName = "DATA", Required = true, HelpText = "Stream file (.json), or labelled data set (.h5ad) to train on.")]
    public string Data { get; set; } = "";

    [Option("test", HelpText = "Labelled data set (.h5ad) to test on; not with a stream file.")]
    public string? Test { get; set; }

    [Option("test-where", HelpText = "Cells to test on, for example \"split == test\".")]
    public string? TestWhere { get; set; }

    [Option('m', "model", HelpText = "Model (.safetensors) whose genes are used (default: chosen on the training cells, as a new model's are).")]
    public string? Model { get; set; }

    [Option("label", Default = "cell_type", HelpText = "obs column with the cell types; a stream file names its own.")]
    public string Label { get; set; } = "cell_type";

    [Option("skip-unlabelled", HelpText = "Leave cells without a label out instead of refusing the file.")]
    public bool SkipUnlabelled { get; set; }

    [Option("features", Default = "log,token", HelpText = "Features to train on, separated by commas: log, token.")]
    public string Features { get; set; } = "log,token";

    [Option('c', "strengths", Default = "0.01,0.1,1,10", HelpText = "Strengths C to choose from by cross-validation, separated by commas.")]
    public string Strengths { get; set; } = "0.01,0.1,1,10";

    [Option("vocabulary", HelpText = "Text file with one gene symbol a line (default: the genes of the data); a stream file names its own.")]
    public string? Vocabulary { get; set; }

    [Option("panel", HelpText = "Number of highly variable genes, or all (default: 1000; a stream file's own).")]
    public string? Panel { get; set; }

    [Option("bank", HelpText = "Cells of the replay bank (default: 1000; a stream file's own).")]
    public int? Bank { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        var (features, strengths) = (ParseFeatures(), ParseStrengths());
        if (Threads is < 0 or > 1024) throw new UserException($"--threads {Threads}: give 0 (all cores) to 1024");
        if (Bank < 0) throw new UserException($"--bank {Bank}: give 0 or more");
        var stream = Path.GetExtension(Data).Equals(".json", StringComparison.OrdinalIgnoreCase);
        var plan = stream ? StreamOf() : StudiesOf();
        if (Panel is not null) plan = plan with { PanelSize = ModelSizes.Panel(Panel) };
        if (Vocabulary is not null) plan = plan with { Vocabulary = UserPath.Full(Vocabulary, "the gene vocabulary") };
        var panel = Model is null ? null : ModelFile.Load(Model).Panel;
        // A model's genes, where the stream starts from one, are not chosen anew.
        if (Model is null && (Panel is not null || Vocabulary is not null)) plan = plan with { Base = plan.Base with { Kind = StreamBaseKind.Scratch } };
        if (MemoryLimit is not null)
        {
            var sizes = StreamSizes.Of(plan);
            var genes = panel?.Count ?? Math.Min(plan.PanelSize ?? sizes.Genes, sizes.Genes);
            KeepWithinLimit(context, MemoryLimit, HostMemory.OfBaseline(
                sizes.Stages.Sum() + sizes.Tests.Sum(), genes, MostTypes, Threads == 0 ? Environment.ProcessorCount : Threads));
        }
        using var cells = new StreamBaselineCells(plan, panel, Scratch, stream ? null : (source, label, purpose) => Open(source, label, purpose, context.Stop), found =>
        {
            Say.Report(context, found);
            context.Stop.ThrowIfCancellationRequested();
        }, context.Stop);
        if (cells.Stages(features[0])[0].Training.Labels.Distinct(StringComparer.Ordinal).Count() < 2)
        {
            throw new UserException($"{plan.Stages[0].Cells.Data}: the training cells are of fewer than two cell types; there is nothing to tell apart");
        }
        var bank = Bank ?? plan.Learning.BankCapacity;
        BaselineSetting[] settings = plan.Stages.Count > 1 ? [BaselineSetting.Joint, BaselineSetting.CurrentOnly, BaselineSetting.Replay] : [BaselineSetting.Joint];
        var (runs, fits) = (new List<StreamRun>(), new List<NamedFit>());
        foreach (var kind in features)
        {
            var name = kind.ToString().ToLowerInvariant();
            foreach (var seed in GivenSeed is { } given ? [given] : plan.Seeds)
            {
                var fit = new LogisticRegressionSettings { Candidates = strengths, Seed = seed, Threads = Threads == 0 ? Environment.ProcessorCount : Threads };
                runs.AddRange(StreamBaseline.Run(cells.Stages(kind), cells.Tests(kind), settings, bank, fit, done =>
                {
                    fits.Add(new NamedFit(name, seed, done));
                    context.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} features, {BaselineReport.Short(done.Setting)}, after stage {done.Stage}: {done.TrainingCells:N0} cells, C {done.C}"));
                    if (!done.Converged) context.Error.WriteLine("warning: that fit had not converged when its iterations ran out");
                    context.Stop.ThrowIfCancellationRequested();
                }).Select(run => run with { Variant = BaselineReport.Variant(name, run.Variant) }));
            }
        }
        var tests = cells.Tests(features[0]);
        var report = new BaselineReport(plan.Name, cells.Panel, cells.Simulated, bank, cells.Stages(features[0]), tests, new StreamMeasures(plan.Name, runs) { Simulated = cells.Simulated }, fits);
        if (Json) context.Out.Write(report.ToJson());
        else report.Write(context.Out);
        return ExitCodes.Done;
    }

    private StreamPlan StreamOf()
    {
        if (Test is not null || TestWhere is not null || Where is not null) throw new UserException($"{Data}: a stream file names its own cells; leave --test, --test-where and --where out");
        return StreamPlanReader.Read(Data);
    }

    private StreamPlan StudiesOf()
    {
        if (Test is null) throw new UserException("--test is missing: give a data set to test on, or a stream file instead of DATA");
        var training = new StreamStage(Path.GetFileNameWithoutExtension(Data), new StreamCells(Data, Where), Label);
        var test = new StreamTestSet(Path.GetFileNameWithoutExtension(Test), 0, new StreamCells(Test, TestWhere), Label, new Dictionary<string, string>());
        return new StreamPlan(
            training.Name, [Seed], new StreamBase(StreamBaseKind.Scratch, null, [], new PretrainSettings()), new StreamGeometry(1, 1, 1, 1, 1), null, 1000, 0,
            [], new LearningSettings(), [training], [test], Path.GetFullPath("."));
    }

    private DataSetReader Open(StreamCells cells, string? label, CellPurpose purpose, CancellationToken cancel) => DataSetReader.Open(
        cells.Data, Settings(null) with { Cancel = cancel, Where = cells.Where, Label = label, SkipUnlabelled = SkipUnlabelled, KeepLowQuality = purpose == CellPurpose.Testing });

    private List<BaselineFeatures> ParseFeatures()
    {
        var chosen = Split(Features).Select(name => name switch
        {
            "log" => BaselineFeatures.Log,
            "token" => BaselineFeatures.Token,
            _ => throw new UserException($"--features: there are no features '{name}'; give log, token or both"),
        }).Distinct().ToList();
        return chosen.Count > 0 ? chosen : throw new UserException("--features: give log, token or both");
    }

    private double[] ParseStrengths()
    {
        double[] chosen = [.. Split(Strengths).Select(text =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var c) && c > 0 && double.IsFinite(c) ? c : throw new UserException($"--strengths: '{text}' is not a number above 0")).Distinct().Order()];
        return chosen.Length > 0 ? chosen : throw new UserException("--strengths: give at least one number above 0");
    }

    private static string[] Split(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
