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

/// <summary>Gene attention by cell type.</summary>
[Verb("explain", HelpText = "Which genes the model looks at, by cell type (gene attention, in linear time).")]
internal sealed class ExplainCommand : DataOptions, ICommand
{
    private const int ShownGenes = 6;

    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples =>
    [
        Help.Example("Scores of every gene for every predicted type", new ExplainCommand { Data = "new.h5ad", Model = "stage2.safetensors", Output = "genes.csv" }),
        Help.Example("By known labels instead", new ExplainCommand { Data = "a.h5ad", Model = "stage2.safetensors", Output = "genes.csv", By = "cell_type" }),
    ];

    [Value(0, MetaName = "DATA", Required = true, HelpText = "Data set (.h5ad).")]
    public string Data { get; set; } = "";

    [Option('m', "model", Required = true, HelpText = "Model (.safetensors).")]
    public string Model { get; set; } = "";

    [Option('o', "output", Required = true, HelpText = "CSV file to write: one row a gene, one column a type.")]
    public string Output { get; set; } = "";

    [Option("by", HelpText = "obs column to group cells by (default: the predicted type; novel cells are left out).")]
    public string? By { get; set; }

    [Option("blocks", HelpText = "Encoder blocks to average over, from 1, separated by commas (default: all).")]
    public string? Blocks { get; set; }

    [Option("heads", HelpText = "Attention heads to average over, from 1, separated by commas (default: all).")]
    public string? Heads { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        var (blocks, heads) = (Numbers(Blocks, "--blocks"), Numbers(Heads, "--heads"));
        var folder = OutputFile.Check(Output, Data, Model);
        using var device = OpenDevice();
        using var progress = new ProgressPrinter(context);
        var model = ModelFile.Load(Model);
        using var reader = DataSetReader.Open(Data, ForAnnotation(folder) with { Cancel = context.Stop });
        KeepWithinLimit(context, device, planner => planner.Explain(model, reader.CellIds.Count));
        using var cells = DataSets.Annotate(reader, model);
        Say.Report(context, cells.Report);
        Say.Device(context, this);
        var types = Groups(device, model, reader, cells, progress, context.Stop);
        var scores = GeneAttentionProfile.Compute(device, model, cells, types, blocks, heads, progress, context.Stop);
        progress.Dispose();
        if (scores.Types.Count == 0) throw new UserException($"{Data}: no cell to explain; all are without a type");
        Write(scores, model.Simulated || cells.Report.Simulated);
        Summarise(context, scores, model.Simulated, cells.Report.Simulated);
        return ExitCodes.Done;
    }

    private List<string?> Groups(
        Engine.Devices.Device device, AnnotationModel model, DataSetReader reader, PreparedCells cells, ProgressPrinter progress, CancellationToken stop)
    {
        if (By is not null)
        {
            var column = reader.File.ReadObs(By).Values;
            reader.Dispose();
            return [.. cells.Rows.Select(row => CellLabel.Of(column[row]))];
        }
        // The process that reads is not needed any more, and its memory is.
        reader.Dispose();
        using var annotator = new Annotator(device, model);
        var result = annotator.Annotate(cells, new AnnotationSettings { Seed = Seed }, progress, stop);
        return [.. Enumerable.Range(0, result.Count).Select(cell => result.IsNovel(cell) ? null : result.BestOf(cell))];
    }

    private void Write(GeneAttentionScores scores, bool simulated) => AtomicFile.Write(Output, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        writer.WriteLine((simulated ? "gene (simulated)," : "gene,") + string.Join(',', scores.Types.Select(Csv.Field)));
        for (var gene = 0; gene < scores.Genes.Count; gene++)
        {
            writer.Write(Csv.Field(scores.Genes[gene]));
            for (var type = 0; type < scores.Types.Count; type++) writer.Write("," + scores.Scores[type, gene].ToString("R", CultureInfo.InvariantCulture));
            writer.WriteLine();
        }
    });

    private void Summarise(CommandContext context, GeneAttentionScores scores, bool simulatedModel, bool simulatedCells)
    {
        var top = Enumerable.Range(0, scores.Types.Count).Select(type => (
            Type: scores.Types[type],
            Cells: scores.Cells[type],
            Floor: scores.Floor[type],
            Genes: Top(scores, gene => scores.Scores[type, gene]),
            Specific: Top(scores, gene => scores.Scores[type, gene] / Enumerable.Range(0, scores.Types.Count).Average(other => scores.Scores[other, gene])))).ToList();
        if (Json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(
                new { Output, Types = top.Select(t => new { t.Type, t.Cells, t.Floor, TopGenes = t.Genes, SpecificGenes = t.Specific }), Simulated = simulatedModel || simulatedCells }, JsonOutput.Options));
            return;
        }
        TextTable.Write(context.Out, ["type", "cells", "floor", "genes looked at most", "looked at more than for other types"], top.Select(t => (IReadOnlyList<string>)
        [
            t.Type,
            t.Cells.ToString(CultureInfo.InvariantCulture),
            t.Floor.ToString("E2", CultureInfo.InvariantCulture),
            string.Join(' ', t.Genes),
            string.Join(' ', t.Specific),
        ]));
        context.Out.WriteLine("Floor: the smallest score of any gene, an upper bound of the share that eps gives every gene.");
        if (simulatedCells) context.Out.WriteLine("These cells are simulated.");
        if (simulatedModel) context.Out.WriteLine("The model was made from simulated cells.");
        context.Out.WriteLine("Written: " + SafeText.OneLine(Output));
    }

    private static List<string> Top(GeneAttentionScores scores, Func<int, double> score) =>
        [.. Enumerable.Range(0, scores.Genes.Count).OrderByDescending(score).ThenBy(gene => gene).Take(ShownGenes).Select(gene => scores.Genes[gene])];

    private static int[]? Numbers(string? list, string option) => list is null ? null
        : [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(s => int.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n >= 1 ? n - 1 : throw new UserException($"{option}: '{s}' is not a number from 1 up"))];
}
