using System.Globalization;
using Canal.Benchmarks;
using Canal.Cli.Terminal;
using static System.FormattableString;

namespace Canal.Cli.Commands;

/// <summary>How measured accuracy is said.</summary>
internal static class AccuracyReport
{
    private const int ShownCells = 20;

    /// <summary>The result as JSON takes it.</summary>
    public static object Document(AccuracyResult result) => new
    {
        result.Device,
        Processor = Machine.Processor(),
        Canal = Help.Version(),
        result.Cells,
        result.TruthCells,
        result.MedianMargin,
        result.Precisions,
    };

    /// <summary>The result for people.</summary>
    public static void Write(TextWriter output, AccuracyResult result)
    {
        output.WriteLine(Invariant($"device: {result.Device}; {result.Cells:N0} cells, {result.TruthCells} of them in float64 too; canal {Help.Version()}"));
        TextTable.Write(output, ["precision", "where", "attention, largest", "attention, rms", "block, largest", "block, rms"], result.Precisions.SelectMany(p => p.Blocks.Select(b => (IReadOnlyList<string>)
        [
            p.Precision,
            Invariant($"block {b.Block}"),
            Error(b.Attention.Largest),
            Error(b.Attention.Rms),
            Error(b.Output.Largest),
            Error(b.Output.Rms),
        ])));
        TextTable.Write(output, ["precision", "logits, largest", "logits, rms", "labels as in fp32", "other labels", "right labels"], result.Precisions.Select(p => (IReadOnlyList<string>)
        [
            p.Precision,
            Error(p.Logits.Largest),
            Error(p.Logits.Rms),
            Percent(p.Agreement),
            p.Others.Count.ToString(CultureInfo.InvariantCulture),
            p.Correct is { } correct ? Percent(correct) : "not labelled",
        ]));
        TextTable.Write(output, ["precision", "trains", "gradient of", "largest", "rms", "rms of rounding", "units switched", "worst parameter", "its rms"], result.Precisions.SelectMany(p => p.Gradients.Select(g => (IReadOnlyList<string>)
        [
            p.Precision,
            g.Trains,
            g.Group,
            Error(g.Error.Largest),
            Error(g.Error.Rms),
            Error(g.Rounding.Rms),
            Invariant($"{g.Switched} / {g.SwitchedByRounding}"),
            g.WorstParameter,
            Error(g.WorstRms),
        ])));
        output.WriteLine("Errors against float64, of the whole run up to there. largest: largest difference / largest value; rms: of the differences / of the values. attention: what it adds to the residual stream; block: the stream behind it.");
        output.WriteLine("Gradients are of the mean label-smoothed cross-entropy of the cells in float64. rms of rounding: a float64 model that rounds what the precision stores between operations and what its products take; sums, and what a kernel rounds inside, are exact in it. units switched: units of the head's ReLUs that are on or off otherwise than in float64, here / in the rounded model; the gradient jumps there.");
        foreach (var precision in result.Precisions.Where(p => p.Labels is not null)) output.WriteLine(Invariant($"{precision.Precision}: {precision.Labels}"));
        foreach (var precision in result.Precisions.Where(p => p.Others.Count > 0))
        {
            output.WriteLine(Invariant($"{precision.Precision}: cells with another label than in fp32, and the two largest logits' difference there (median of all cells {result.MedianMargin:F3})"));
            TextTable.Write(output, ["cell", "fp32", "here", "margin in fp32", "margin here"], precision.Others.Take(ShownCells).Select(o => (IReadOnlyList<string>)
            [
                SafeText.OneLine(o.Cell),
                SafeText.OneLine(o.InFloat32),
                SafeText.OneLine(o.Here),
                Invariant($"{o.MarginInFloat32:F4}"),
                Invariant($"{o.MarginHere:F4}"),
            ]));
            if (precision.Others.Count > ShownCells) output.WriteLine(Invariant($"... and {precision.Others.Count - ShownCells} with smaller margins; --json lists all"));
        }
        if (result.Precisions.Count == 1) output.WriteLine("This device has one precision: there is no other to compare labels with.");
    }

    private static string Error(double value) => value.ToString("0.0e+00", CultureInfo.InvariantCulture);

    private static string Percent(double share) => Invariant($"{100 * share:F2} %");
}
