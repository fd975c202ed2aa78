using System.Globalization;
using System.Text.Json;
using Canal.Benchmarks;
using Canal.Cli.Terminal;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Models;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>Kernels against the limits of this machine, whole jobs in seconds a cell.</summary>
[Verb("bench", HelpText = "Kernels against the limits of this machine, whole jobs in seconds a cell, peak memory.")]
internal sealed class BenchCommand : EngineOptions, ICommand
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("Everything, in a minute or two", new BenchCommand()),
        Help.Example("A first look at labelling alone", new BenchCommand { Job = BenchmarkJob.Annotate, Quick = true }),
        Help.Example("Reading compressed cells, and that its memory does not grow with the file", new BenchCommand { Job = BenchmarkJob.Reading }),
        Help.Example("The memory of every command on data ten times its limit", new BenchCommand { Job = BenchmarkJob.Memory }),
        Help.Example("What each precision of the device is worth", new BenchCommand { Accuracy = true, Model = "model.safetensors", Data = "new.h5ad" }),
    ];

    [Option("job", Default = BenchmarkJob.All, HelpText = "What to measure.")]
    public BenchmarkJob Job { get; set; }

    [Option("quick", HelpText = "Fewer repetitions: for a first look, not for a comparison.")]
    public bool Quick { get; set; }

    [Option("size", Default = "scbert", HelpText = "Sizes of the model: scbert or small.")]
    public string Size { get; set; } = "scbert";

    [Option("panels", Default = "1000,16906", HelpText = "Genes of the panels to label with; kernels and training take the first.")]
    public string Panels { get; set; } = "1000,16906";

    [Option("batch", Default = 14, HelpText = "Cells of a training step.")]
    public int Batch { get; set; } = 14;

    [Option("vector-bits", HelpText = "Vector width: 512, 256 or 128 (default: the fastest here).")]
    public int? VectorBits { get; set; }

    [Option("accuracy", HelpText = "Instead of speed: errors of each precision of the device on a model's own activations, and whether the labels change.")]
    public bool Accuracy { get; set; }

    [Option("reading", Default = "10000,30000,100000", HelpText = "Cells of the files to read, separated by commas; each has 20,000 genes, about 1,500 of them in a cell.")]
    public string Reading { get; set; } = "10000,30000,100000";

    [Option("scratch", HelpText = "Folder for the files to read: 5 MB for 1,000 cells (default: the system's temporary folder).")]
    public string? Scratch { get; set; }

    [Option('m', "model", HelpText = "With --accuracy: annotation model (default: the bundle's).")]
    public string? Model { get; set; }

    [Option("data", HelpText = "With --accuracy: cells, .h5ad or as --save-cells wrote them (default: the bundle's).")]
    public string? Data { get; set; }

    [Option("label", HelpText = "With --accuracy and .h5ad: obs column with the cell types, to count right labels too.")]
    public string? Label { get; set; }

    [Option("save-cells", HelpText = "With --accuracy and .h5ad: also write the prepared cells (.safetensors), for machines without libhdf5.")]
    public string? SaveCells { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        if (Accuracy) return new AccuracyRun(this).Run(context);
        if (Model is not null || Data is not null || Label is not null || SaveCells is not null)
        {
            throw new UserException("--model, --data, --label and --save-cells are for --accuracy; speed is measured on drawn cells");
        }
        if (VectorBits is not null && !CpuBenchmark.VectorWidths.Contains(VectorBits.Value))
        {
            throw new UserException($"--vector-bits {VectorBits}: this processor has {string.Join(", ", CpuBenchmark.VectorWidths)}");
        }
        var (choice, cpu) = ChosenDevice();
        cpu = cpu with { VectorBits = VectorBits };
        Device Open()
        {
            var device = choice.Open(cpu, out var note);
            if (note is not null) choice = choice with { Kind = "cpu" };
            DeviceNote ??= note;
            return device;
        }
        var settings = Settings();
        var reading = Job is BenchmarkJob.All or BenchmarkJob.Reading ? ReadingSizes() : null;
        using var progress = new ProgressPrinter(context);
        if (Job == BenchmarkJob.Memory)
        {
            var rows = MeasureMemory(progress, context);
            progress.Dispose();
            if (Json) context.Out.WriteLine(JsonSerializer.Serialize(rows, JsonOutput.Options));
            else MemoryTable.Write(context.Out, rows);
            return ExitCodes.Done;
        }
        if (Job == BenchmarkJob.Reading)
        {
            var alone = ReadFiles(reading!, progress, context);
            progress.Dispose();
            if (Json) context.Out.WriteLine(JsonSerializer.Serialize(ReadingReport.Document(alone), JsonOutput.Options));
            else ReadingReport.Write(context.Out, alone);
            return ExitCodes.Done;
        }
        var result = Benchmark.Run(Open, settings, Json ? null : progress, context.Stop);
        var read = reading is null || result.Failures.Count > 0 ? [] : ReadFiles(reading, progress, context);
        progress.Dispose();
        Say.Device(context, this);
        if (Json) context.Out.WriteLine(JsonSerializer.Serialize(BenchReport.Document(result, read), JsonOutput.Options));
        else BenchReport.Write(context.Out, result);
        if (!Json && read.Count > 0) ReadingReport.Write(context.Out, read);
        foreach (var failure in result.Failures) context.Error.WriteLine("canal: " + failure + "; it was not timed, nor was any job");
        return result.Failures.Count == 0 ? ExitCodes.Done : ExitCodes.Defect;
    }

    private IReadOnlyList<ReadingResult> ReadFiles(int[] sizes, ProgressPrinter progress, CommandContext context) => ReadingBenchmark.Run(
        new ReadingSettings { Cells = sizes, ScratchFolder = Scratch is null ? Path.GetTempPath() : UserPath.Full(Scratch, "the scratch folder") },
        what => progress.Report(Learning.LearningProgress.Say(what)), context.Stop);

    private IReadOnlyList<MemoryRow> MeasureMemory(ProgressPrinter progress, CommandContext context)
    {
        var folder = Path.Combine(Scratch is null ? Path.GetTempPath() : UserPath.Full(Scratch, "the scratch folder"), $"canal-memory-{Guid.NewGuid():N}");
        try
        {
            var settings = new MemoryBenchSettings { Folder = folder };
            if (Quick) settings = settings with { Study = new DrawnStudySettings(2000, 5000, 2700) };
            return new MemoryBench(settings, what => progress.Report(Learning.LearningProgress.Say(what)), context.Stop).Run();
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    private int[] ReadingSizes()
    {
        int[] sizes = [.. Reading.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(text =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var cells) ? ModelSizes.InRange(cells, "--reading", 1_000_000) : throw new UserException($"--reading: '{text}' is not a number of cells")).Order()];
        if (sizes.Length == 0) throw new UserException("--reading: give at least one number of cells");
        return Quick ? sizes[..1] : sizes;
    }

    private BenchmarkSettings Settings()
    {
        var geometry = ModelSizes.Geometry(Size, null, null, null, null, null);
        int[] panels = [.. Panels.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(genes => ModelSizes.Panel(genes) ?? throw new UserException("--panels all: give numbers of genes, separated by commas"))];
        if (panels.Length == 0) throw new UserException("--panels: give at least one number of genes");
        var model = new ModelConfiguration
        {
            Genes = panels[0], Width = geometry.Width, Blocks = geometry.Blocks, Heads = geometry.Heads, HeadWidth = geometry.HeadWidth, Features = geometry.Features,
        };
        return new BenchmarkSettings { Job = Job, Quick = Quick, Model = model, PanelSizes = panels, Batch = ModelSizes.InRange(Batch, "--batch", 1024), Seed = Seed };
    }
}
