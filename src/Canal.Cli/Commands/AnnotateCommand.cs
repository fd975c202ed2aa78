using System.Globalization;
using System.Text.Json;
using Canal.Annotation;
using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Learning;
using Canal.Models;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>Labels cells: type, confidence, the next best types, novelty, representation.</summary>
[Verb("annotate", HelpText = "Label cells: type, confidence, next best types, a verdict on novelty, an embedding.")]
internal sealed class AnnotateCommand : DataOptions, ICommand
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("Write a copy with the labels in obs and the embedding in obsm", new AnnotateCommand { Data = "new.h5ad", Model = "stage2.safetensors", Output = "labelled.h5ad" }),
        Help.Example("Labels alone, with a majority label a cluster", new AnnotateCommand { Data = "new.h5ad", Model = "stage2.safetensors", Output = "labels.csv", Cluster = "leiden" }),
    ];

    [Value(0, MetaName = "DATA", Required = true, HelpText = "Data set (.h5ad).")]
    public string Data { get; set; } = "";

    [Option('m', "model", Required = true, HelpText = "Model (.safetensors).")]
    public string Model { get; set; } = "";

    [Option('o', "output", Required = true, HelpText = "Output: .h5ad for a copy with the labels, .csv for the labels alone.")]
    public string Output { get; set; } = "";

    [Option("novelty", HelpText = "What decides that a cell is of no known type: genes (distance to the known types in the panel's main components), stored (the network's energy and confidence), distance (that and the distance of representations), all calibrated when the model was made; probability (below 0.5) or file (CANAL's published rule). Default: genes.")]
    public string? Novelty { get; set; }

    [Option("cluster", HelpText = "obs column with clusters: adds the majority label of each.")]
    public string? Cluster { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        var rule = Novelty is null ? (NoveltyRule?)null : NoveltyRules.Parse(Novelty);
        var folder = OutputFile.Check(Output, Data, Model);
        var csv = Path.GetExtension(Output).ToLowerInvariant() switch
        {
            ".csv" => true,
            ".h5ad" => false,
            _ => throw new UserException($"{Output}: the output's name must end in .h5ad (a copy with the labels) or .csv (the labels alone)"),
        };
        using var device = OpenDevice();
        using var progress = new ProgressPrinter(context);
        var model = ModelFile.Load(Model);
        using var reader = DataSetReader.Open(Data, ForAnnotation(folder) with { Cancel = context.Stop });
        context.Stop.ThrowIfCancellationRequested();
        KeepWithinLimit(context, device, planner => planner.Annotate(model, reader.CellIds.Count));
        using var cells = DataSets.Annotate(reader, model);
        Say.Report(context, cells.Report);
        Say.Device(context, this);
        var clusters = Cluster is null ? null : reader.File.ReadObs(Cluster).Values;
        var fileCells = reader.File.CellCount;
        // The process that reads is not needed any more, and its memory is.
        reader.Dispose();
        AnnotationResult result;
        using (var annotator = new Annotator(device, model))
        {
            var groups = clusters is null ? null : cells.Rows.Select(row => CellLabel.Of(clusters[row])).ToList();
            result = annotator.Annotate(cells, new AnnotationSettings { Novelty = rule, Seed = Seed, Clusters = groups }, progress, context.Stop);
        }
        progress.Dispose();
        context.Stop.ThrowIfCancellationRequested();
        foreach (var warning in NoveltyWarnings.Of(result, model.Novelty, rule is not null)) context.Error.WriteLine("warning: " + warning);
        // A process of its own writes: the tensors' memory is given back before.
        device.Memory.Trim();
        if (csv) AnnotationOutput.WriteCsv(result, Output, simulated: model.Simulated || cells.Report.Simulated);
        else AnnotationOutput.WriteH5ad(result, fileCells, Data, Output, model, Path.GetFileName(Model), Settings(), cells.Report.Simulated, context.Stop);
        Summarise(context, result, model, cells.Report.Simulated);
        return ExitCodes.Done;
    }

    private SortedDictionary<string, string> Settings()
    {
        var settings = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["data"] = Path.GetFileName(Data), ["seed"] = Seed.ToString(CultureInfo.InvariantCulture) };
        if (Where is not null) settings["where"] = Where;
        if (Cluster is not null) settings["cluster"] = Cluster;
        return settings;
    }

    private void Summarise(CommandContext context, AnnotationResult result, AnnotationModel model, bool simulated)
    {
        var labels = Enumerable.Range(0, result.Count).GroupBy(result.LabelOf, StringComparer.Ordinal)
            .OrderBy(g => g.Key == CellTypeLibrary.Unassigned).ThenByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => (Label: g.Key, Cells: g.Count(), Confidence: g.Average(cell => (double)result.Probabilities[AnnotationResult.TopTypes * cell]))).ToList();
        if (Json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(
                new
                {
                    Output,
                    Cells = result.Count,
                    Labels = labels.Select(l => new { l.Label, l.Cells, MeanConfidence = l.Confidence }),
                    LowQuality = result.LowQuality.Count(low => low),
                    NoveltyRule = result.Rule,
                    Simulated = simulated || model.Simulated,
                },
                JsonOutput.Options));
            return;
        }
        TextTable.Write(context.Out, ["label", "cells", "share", "mean confidence"], labels.Select(l => (IReadOnlyList<string>)
        [
            l.Label,
            l.Cells.ToString(CultureInfo.InvariantCulture),
            string.Create(CultureInfo.InvariantCulture, $"{100.0 * l.Cells / result.Count:F1} %"),
            string.Create(CultureInfo.InvariantCulture, $"{l.Confidence:F3}"),
        ]));
        var low = result.LowQuality.Count(flag => flag);
        if (low > 0) context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{low} cells are of low quality (canal_reason says which)."));
        if (simulated) context.Out.WriteLine("These cells are simulated.");
        if (model.Simulated) context.Out.WriteLine("The model was made from simulated cells.");
        context.Out.WriteLine("Written: " + SafeText.OneLine(Output));
    }
}
