using System.Globalization;
using System.Text.Json;
using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Learning;
using Canal.Models;
using Canal.Planning;
using Canal.Simulation;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>What a data set or a model holds, and how they fit together.</summary>
[Verb("inspect", HelpText = "What a data set or a model holds, and how they fit together.")]
internal sealed class InspectCommand : DataOptions, ICommand
{
    private const int ShownValues = 12;

    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("A data set", new InspectCommand { File = "new.h5ad" }),
        Help.Example("A model", new InspectCommand { File = "stage2.safetensors" }),
        Help.Example("How a data set fits a model", new InspectCommand { File = "new.h5ad", Model = "stage2.safetensors" }),
    ];

    [Value(0, MetaName = "FILE", Required = true, HelpText = "Data set (.h5ad) or model (.safetensors).")]
    public string File { get; set; } = "";

    [Option('m', "model", HelpText = "Model that the data set is to be annotated with.")]
    public string? Model { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        if (Path.GetExtension(File).Equals(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            if (Model is not null) throw new UserException($"{File}: this is a model; give the data set first and the model with --model");
            DescribeModel(context, ModelFile.Load(File));
            return ExitCodes.Done;
        }
        DescribeData(context);
        return ExitCodes.Done;
    }

    private void DescribeData(CommandContext context)
    {
        var model = Model is null ? null : ModelFile.Load(Model);
        using var reader = DataSetReader.Open(File, ForAnnotation(null) with { Cancel = context.Stop });
        var cellCount = reader.CellIds.Count;
        KeepWithinLimit(context, MemoryLimit, model is null ? HostMemory.OfInspection(cellCount)
            : HostMemory.Of(PlannedJob.Annotate, model.Configuration, model.Weights.Values.Sum(w => (long)w.Length), 0, cellCount));
        using var fit = model is null ? null : DataSets.Annotate(reader, model);
        var file = reader.File;
        var columns = file.ObsColumns.Select(name => (Name: name, Values: Values(file, name))).ToList();
        var quality = reader.Quality;
        var simulated = StudySimulator.IsSimulated(file);
        var simulatedModel = model is { Simulated: true };
        if (Json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(
                new
                {
                    File,
                    Cells = file.CellCount,
                    Genes = file.GeneNames(reader.Source.Location).Count,
                    Simulated = simulated || simulatedModel,
                    file.Matrices,
                    Used = reader.Source.Location,
                    State = reader.Source.State,
                    reader.Source.Description,
                    ContentHash = reader.ContentHash,
                    Obs = columns.ToDictionary(c => c.Name, c => c.Values),
                    Fit = fit?.Report.Lines(),
                    Warnings = fit?.Report.Warnings ?? reader.Source.Warnings,
                },
                JsonOutput.Options));
            return;
        }
        context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{SafeText.OneLine(File)}: {file.CellCount:N0} cells x {file.GeneNames(reader.Source.Location).Count:N0} genes"));
        if (simulated) context.Out.WriteLine(StudySimulator.Notice);
        context.Out.WriteLine("matrices: " + SafeText.OneLine(string.Join(", ", file.Matrices)));
        context.Out.WriteLine("counts from " + SafeText.OneLine($"{reader.Source.Location}: {reader.Source.Description}"));
        context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"expressed genes: cells under {quality.FewestGenes:0.#} are of low quality"));
        context.Out.WriteLine("sha256: " + reader.ContentHash);
        TextTable.Write(context.Out, ["obs column", "values"], columns.Select(c => (IReadOnlyList<string>)[c.Name, c.Values]));
        if (fit is not null)
        {
            context.Out.WriteLine("With the model " + SafeText.OneLine(Model!) + (simulatedModel ? ", made from simulated cells:" : ":"));
            foreach (var line in fit.Report.Lines()) context.Out.WriteLine("  " + SafeText.OneLine(line));
        }
        foreach (var warning in fit?.Report.Warnings ?? reader.Source.Warnings) context.Out.WriteLine("warning: " + SafeText.OneLine(warning));
    }

    private static string Values(ExpressionFile file, string column)
    {
        IReadOnlyList<string?> values;
        try
        {
            values = file.ReadObs(column).Values;
        }
        catch (UserException unreadable)
        {
            return "(" + unreadable.Message + ")";
        }
        var counts = values.GroupBy(v => v ?? "(missing)", StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).ToList();
        if (counts.Count > ShownValues * 4) return string.Create(CultureInfo.InvariantCulture, $"{counts.Count:N0} different values, {counts[0].Key} and so on");
        return string.Join(", ", counts.Take(ShownValues).Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key} {g.Count()}")))
            + (counts.Count > ShownValues ? string.Create(CultureInfo.InvariantCulture, $" and {counts.Count - ShownValues} more") : "");
    }

    private void DescribeModel(CommandContext context, AnnotationModel model)
    {
        var c = model.Configuration;
        var bank = model.Bank.Examples.GroupBy(e => e.Label).ToDictionary(g => g.Key, g => g.Count());
        if (Json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(
                new
                {
                    File,
                    Kind = model.Kind,
                    model.Stages,
                    model.Simulated,
                    Configuration = c,
                    Vocabulary = model.Panel.Vocabulary.Count,
                    VocabularyHash = model.Panel.Vocabulary.Hash,
                    Panel = model.Panel.Symbols,
                    Types = model.Library.Names.Select((name, i) => new { Name = name, Stage = model.Library.Stages[i], BankCells = bank.GetValueOrDefault(i) }),
                    BankCapacity = model.Bank.Capacity,
                    Calibrated = model.Novelty is not null,
                    model.Provenance,
                    model.Checksum,
                },
                JsonOutput.Options));
            return;
        }
        context.Out.WriteLine($"{SafeText.OneLine(File)}: {(model.Kind == ModelKind.Base ? "base model (pre-trained, knows no cell types yet)" : "annotation model")}");
        if (model.Simulated) context.Out.WriteLine("made from simulated cells");
        context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"width {c.Width}, {c.Blocks} blocks, {c.Heads} heads of {c.HeadWidth}, {c.Features} random features; {c.Genes:N0} of {model.Panel.Vocabulary.Count:N0} vocabulary genes"));
        if (model.Kind == ModelKind.Annotation)
        {
            TextTable.Write(context.Out, ["type", "since stage", "cells in the bank"], model.Library.Names.Select((name, i) => (IReadOnlyList<string>)
            [
                name,
                model.Library.Stages[i].ToString(CultureInfo.InvariantCulture),
                bank.GetValueOrDefault(i).ToString(CultureInfo.InvariantCulture),
            ]));
        }
        TextTable.Write(context.Out, ["stage", "data", "cells", "seed", "version", "validation accuracy"], model.Provenance.Select(p => (IReadOnlyList<string>)
        [
            p.Stage == 0 ? "pre-training" : p.Stage.ToString(CultureInfo.InvariantCulture),
            p.Name.Length > 24 ? p.Name[..24] : p.Name,
            p.Cells.ToString(CultureInfo.InvariantCulture),
            p.Seed.ToString(CultureInfo.InvariantCulture),
            p.SoftwareVersion,
            p.Metrics.TryGetValue("validation_accuracy", out var accuracy) ? accuracy.ToString("F4", CultureInfo.InvariantCulture) : "-",
        ]));
        context.Out.WriteLine("checksum: " + (model.Checksum ?? "none"));
    }
}
