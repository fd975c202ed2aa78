using System.Globalization;
using System.Text.Json;
using Canal.Annotation;
using Canal.Cli.Terminal;
using Canal.Data;
using Canal.Evaluation;
using Canal.Models;
using Canal.Planning;
using Canal.Simulation;
using CommandLine;
using CommandLine.Text;

namespace Canal.Cli.Commands;

/// <summary>How good annotations are where the truth is known.</summary>
[Verb("evaluate", HelpText = "Compare annotations with known labels: accuracy, macro-F1, ARI, confusion, H-score, novelty AUROC.")]
internal sealed class EvaluateCommand : CommonOptions, ICommand
{
    [Usage(ApplicationAlias = "canal")]
    public static IEnumerable<Example> Examples => [Help.Example("Against the labels of an obs column", new EvaluateCommand { File = "labelled.h5ad", Truth = "cell_type" })];

    [Value(0, MetaName = "OUT", Required = true, HelpText = "Data set that canal annotate wrote (.h5ad).")]
    public string File { get; set; } = "";

    [Option("truth", Required = true, HelpText = "obs column with the true cell types.")]
    public string Truth { get; set; } = "";

    [Option("where", HelpText = "Cells to look at, for example \"split == test\".")]
    public string? Where { get; set; }

    [Option("confusion", HelpText = "CSV file to write the confusion matrix to.")]
    public string? Confusion { get; set; }

    [Option("memory-limit", HelpText = "Most memory that the whole process may take, the program itself included, for example 500M or 4G.")]
    public string? MemoryLimit { get; set; }

    /// <inheritdoc/>
    public int Run(CommandContext context)
    {
        if (Confusion is not null) OutputFile.Check(Confusion, File);
        using var file = ExpressionFiles.Open(File);
        KeepWithinLimit(context, MemoryLimit, HostMemory.OfEvaluation(file.CellCount));
        var cells = Cells(file);
        var notes = AnnotatedFile.Notes(file);
        var known = notes.KnownTypes.ToHashSet(StringComparer.Ordinal);
        var simulated = notes.Simulated || StudySimulator.IsSimulated(file);
        var taught = cells.Where(c => known.Contains(c.Truth)).ToList();
        var novel = cells.Where(c => !known.Contains(c.Truth)).ToList();
        var best = ClassificationMetrics.Of([.. taught.Select(c => c.Truth)], [.. taught.Select(c => c.Best)]);
        var open = NoveltyMetrics.OpenSet([.. cells.Select(c => c.Truth)], [.. cells.Select(c => c.Label)], known, CellTypeLibrary.Unassigned);
        var auroc = NoveltyMetrics.Auroc([.. taught.Select(c => c.Novelty)], [.. novel.Select(c => c.Novelty)]);
        var fpr = NoveltyMetrics.FalsePositiveRate([.. taught.Select(c => c.Novelty)], [.. novel.Select(c => c.Novelty)]);
        var calibration = NoveltyMetrics.CalibrationError([.. taught.Select(c => c.Confidence)], [.. taught.Select(c => c.Best == c.Truth)]);
        var accepted = taught.Count == 0 ? double.NaN : (double)taught.Count(c => c.Label != CellTypeLibrary.Unassigned) / taught.Count;
        var confusion = new ConfusionMatrix([.. cells.Select(c => c.Truth)], [.. cells.Select(c => c.Label)]);
        if (Confusion is not null) AtomicFile.Write(Confusion, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(confusion.ToCsv(simulated))));
        if (Json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(
                new
                {
                    Cells = cells.Count,
                    KnownCells = taught.Count,
                    NovelCells = novel.Count,
                    best.Accuracy,
                    best.MacroF1,
                    best.AdjustedRandIndex,
                    CalibrationError = calibration,
                    KnownAccepted = accepted,
                    open.KnownAccuracy,
                    open.NovelAccuracy,
                    TotalAccuracy = open.Accuracy,
                    open.HScore,
                    NoveltyAuroc = auroc,
                    NoveltyFpr95 = fpr,
                    Simulated = simulated,
                },
                JsonOutput.Options));
            return ExitCodes.Done;
        }
        if (simulated) context.Out.WriteLine("These cells, or those that the model was made from, are simulated.");
        WriteConfusion(context, confusion);
        TextTable.Write(context.Out, ["measure", "value", "of"], new (string Name, double Value, string Of)[]
        {
            ("accuracy, best type", best.Accuracy, $"{taught.Count} cells of known types"),
            ("macro-F1", best.MacroF1, "the same"),
            ("adjusted Rand index", best.AdjustedRandIndex, "the same"),
            ("calibration error of the confidence", calibration, "the same"),
            ("known cells accepted", accepted, "the same"),
            ("accuracy with rejection, known", open.KnownAccuracy, "the same"),
            ("novel cells left unassigned", open.NovelAccuracy, $"{novel.Count} cells of types the model was not taught"),
            ("H-score (harmonic mean of the two)", open.HScore, "both"),
            ("AUROC of canal_novelty", auroc, "both"),
            ("known flagged where 95 % of novel are", fpr, "both"),
        }.Select(row => (IReadOnlyList<string>)[row.Name, double.IsFinite(row.Value) ? row.Value.ToString("F4", CultureInfo.InvariantCulture) : "n/a", row.Of]));
        if (Confusion is not null) context.Out.WriteLine("Written: " + SafeText.OneLine(Confusion));
        return ExitCodes.Done;
    }

    private List<Cell> Cells(ExpressionFile file)
    {
        var truth = file.ReadObs(Truth).Values;
        if (!file.ObsColumns.Contains("canal_best", StringComparer.Ordinal)) throw new UserException($"{File}: no column canal_best in obs; annotate the file first with canal annotate -o OUT.h5ad");
        var (label, best, confidence, novelty) = (file.ReadObs("canal_cell_type").Values, file.ReadObs("canal_best").Values, file.ReadObs("canal_confidence").Values, file.ReadObs("canal_novelty").Values);
        var selected = Where is null ? [.. Enumerable.Repeat(true, truth.Count)] : CellSelection.Parse(Where).Apply(file);
        var cells = new List<Cell>();
        for (var row = 0; row < truth.Count; row++)
        {
            if (selected[row] && CellLabel.Of(truth[row]) is { } type && label[row] is { } said && best[row] is { } closest)
            {
                cells.Add(new Cell(type, said, closest, Number(confidence[row], row), Number(novelty[row], row)));
            }
        }
        return cells.Count > 0 ? cells : throw new UserException($"{File}: no selected cell has both a label in {Truth} and an annotation");
    }

    private double Number(string? text, int row) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
        ? value
        : throw new UserException($"{File}: obs row {row} has no usable number in canal_confidence or canal_novelty; annotate the file again");

    private static void WriteConfusion(CommandContext context, ConfusionMatrix confusion)
    {
        var places = Enumerable.Range(0, confusion.Names.Count).ToList();
        var columns = places.Where(p => places.Any(t => confusion[t, p] > 0)).ToList();
        TextTable.Write(
            context.Out,
            ["truth \\ label", .. columns.Select(p => confusion.Names[p])],
            places.Where(t => places.Any(p => confusion[t, p] > 0)).Select(t => (IReadOnlyList<string>)
                [confusion.Names[t], .. columns.Select(p => confusion[t, p] == 0 ? "" : confusion[t, p].ToString(CultureInfo.InvariantCulture))]));
    }

    private sealed record Cell(string Truth, string Label, string Best, double Confidence, double Novelty);
}
