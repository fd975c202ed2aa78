using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Learning;
using Canal.Models;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>Masked-expression pre-training: makes a base model from cells without labels.</summary>
[Verb("pretrain", HelpText = "Make a base model from unlabelled cells: masked-expression pre-training.")]
internal sealed class PretrainCommand : NewModelOptions, ICommand
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
        [Help.Example("Pre-train on two studies; the gene panel is chosen on the first", new PretrainCommand { Data = ["a.h5ad", "b.h5ad"], Output = "base.safetensors" })];

    [Value(0, MetaName = "DATA", Required = true, Min = 1, HelpText = "Data sets (.h5ad).")]
    public IEnumerable<string> Data { get; set; } = [];

    [Option('o', "output", Required = true, HelpText = "Base model to write (.safetensors).")]
    public string Output { get; set; } = "";

    [Option("epochs", Default = PretrainSettings.DefaultEpochs, HelpText = "Most epochs.")]
    public int Epochs { get; set; } = PretrainSettings.DefaultEpochs;

    [Option("patience", Default = PretrainSettings.DefaultPatience, HelpText = "Stop when more epochs in a row than this are no better.")]
    public int Patience { get; set; } = PretrainSettings.DefaultPatience;

    [Option("batch", Default = PretrainSettings.DefaultBatch, HelpText = "Cells a forward and backward pass.")]
    public int Batch { get; set; } = PretrainSettings.DefaultBatch;

    [Option("accumulation", Default = 0, HelpText = "Batches an update; 0 chooses by the number of cells.")]
    public int Accumulation { get; set; }

    [Option("rate", Default = PretrainSettings.DefaultRate, HelpText = "Largest learning rate.")]
    public double Rate { get; set; } = PretrainSettings.DefaultRate;

    [Option("restart", HelpText = "Forget an interrupted run and begin again.")]
    public bool Restart { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        var settings = new PretrainSettings
        {
            MaxEpochs = Epochs, Patience = Patience, Batch = Batch, Accumulation = Accumulation, Rate = Rate, Seed = Seed,
        }.Validated();
        var (geometry, panel, paths) = (Geometry(), PanelGenes(), Data.ToList());
        var folder = OutputFile.CheckModel(Output, paths);
        using var device = OpenDevice();
        using var progress = new ProgressPrinter(context);
        var readers = new List<DataSetReader>();
        var sources = new List<PretrainSource>();
        try
        {
            var tokens = TokenStoreWriter.DefaultMemoryBytes / paths.Count;
            foreach (var path in paths) readers.Add(DataSetReader.Open(path, Settings(folder) with { Cancel = context.Stop, TokenMemoryBytes = tokens }));
            var fresh = NewModel.Create(readers, Vocabulary, panel, geometry, Seed);
            KeepWithinLimit(context, device, planner =>
            {
                var plan = planner.Pretrain(fresh, readers.Sum(reader => reader.Rows.Count), settings);
                return plan with { Host = plan.Host with { Reader = plan.Host.Reader * (ulong)readers.Count } };
            });
            foreach (var reader in readers)
            {
                context.Stop.ThrowIfCancellationRequested();
                sources.Add(DataSets.Pretrain(reader, fresh.Panel));
                Say.Report(context, sources[^1].Cells.Report);
            }
            // The processes that read are not needed any more, and their memory is.
            foreach (var reader in readers) reader.Dispose();
            Say.Device(context, this);
            using var run = RunFolder.Open(Output, Restart);
            var result = new Pretrainer(device).Pretrain(fresh, sources, settings, new LearningContext
            {
                Folder = run, Progress = progress, Cancel = context.Stop, ScratchFolder = Scratch,
            });
            ModelFile.Save(result.Model, Output);
            run.Remove();
            progress.Dispose();
            Say.Trained(context, Json, Output, result.Model, result.Best, result.Schedule);
            return ExitCodes.Done;
        }
        finally
        {
            foreach (var source in sources) source.Cells.Dispose();
            foreach (var reader in readers) reader.Dispose();
        }
    }
}
