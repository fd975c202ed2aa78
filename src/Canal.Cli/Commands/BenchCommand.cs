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
        using var progress = new ProgressPrinter(context);
        var result = Benchmark.Run(Open, settings, Json ? null : progress, context.Stop);
        progress.Dispose();
        Say.Device(context, this);
        if (Json) context.Out.WriteLine(JsonSerializer.Serialize(BenchReport.Document(result), JsonOutput.Options));
        else BenchReport.Write(context.Out, result);
        foreach (var failure in result.Failures) context.Error.WriteLine("canal: " + failure + "; it was not timed, nor was any job");
        return result.Failures.Count == 0 ? ExitCodes.Done : ExitCodes.Defect;
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
