namespace Canal.Benchmarks;

/// <summary>Differences from a truth, as shares of its size.</summary>
/// <param name="Largest">Largest absolute difference, divided by the largest absolute value of the truth.</param>
/// <param name="Rms">Root mean square of the differences, divided by that of the truth.</param>
public sealed record RelativeError(double Largest, double Rms)
{
    /// <summary>The error of values against a truth of as many.</summary>
    public static RelativeError Of(ReadOnlySpan<float> values, ReadOnlySpan<double> truth)
    {
        if (values.Length != truth.Length) throw new ArgumentException($"{values.Length} values and {truth.Length} of the truth.", nameof(values));
        var (largest, scale, squares, size) = (0.0, 0.0, 0.0, 0.0);
        for (var i = 0; i < values.Length; i++)
        {
            var difference = Math.Abs(values[i] - truth[i]);
            // A NaN must not hide behind a comparison.
            largest = difference > largest || double.IsNaN(difference) ? difference : largest;
            (scale, squares, size) = (Math.Max(scale, Math.Abs(truth[i])), squares + (difference * difference), size + (truth[i] * truth[i]));
        }
        return new RelativeError(Share(largest, scale), Math.Sqrt(Share(squares, size)));
    }

    // Of a truth of zeros nothing is missed by zeros.
    private static double Share(double difference, double size) => difference == 0 ? 0 : difference / size;
}

/// <summary>Errors after a block, of the whole run up to there.</summary>
/// <param name="Block">The block, from 0.</param>
/// <param name="Attention">What the attention adds to the residual stream.</param>
/// <param name="Output">The residual stream behind the block.</param>
public sealed record BlockAccuracy(int Block, RelativeError Attention, RelativeError Output);

/// <summary>Errors of the gradient of the mean label-smoothed cross-entropy with respect to a group of parameters.</summary>
/// <param name="Trains">What trained, as --trainable has it.</param>
/// <param name="Group">The group.</param>
/// <param name="Error">The device against float64.</param>
/// <param name="Rounding">A float64 model that rounds what the precision stores and multiplies, and nothing inside a sum or a kernel, against float64.</param>
/// <param name="WorstParameter">The parameter of the group with the largest share of its own gradient wrong.</param>
/// <param name="WorstRms">That share.</param>
/// <param name="Switched">Units of the head's ReLUs that are on or off otherwise than in float64: the gradient jumps there, which no bound on rounding covers.</param>
/// <param name="SwitchedByRounding">The same of the model that rounds.</param>
public sealed record GradientAccuracy(
    string Trains, string Group, RelativeError Error, RelativeError Rounding, string WorstParameter, double WorstRms, int Switched, int SwitchedByRounding);

/// <summary>A cell that got another label than in float32.</summary>
/// <param name="Cell">Its name.</param>
/// <param name="InFloat32">Its label in float32.</param>
/// <param name="Here">Its label in the precision.</param>
/// <param name="MarginInFloat32">The two largest logits' difference in float32.</param>
/// <param name="MarginHere">The same in the precision.</param>
public sealed record OtherLabel(string Cell, string InFloat32, string Here, double MarginInFloat32, double MarginHere);

/// <summary>What one precision of a device is worth on real activations.</summary>
/// <param name="Precision">Its name.</param>
/// <param name="Blocks">Errors against float64, block by block.</param>
/// <param name="Logits">Errors of the logits against float64.</param>
/// <param name="Agreement">Share of all cells that get the label that they get in float32, 0 to 1.</param>
/// <param name="Correct">Share of the labelled cells whose label is the given one; null where none is labelled with a type that the model knows.</param>
/// <param name="Others">The cells with another label, least certain ones last.</param>
/// <param name="Gradients">Errors of the gradient against float64, group by group.</param>
/// <param name="Labels">What the labels' agreement shows; null for float32.</param>
public sealed record PrecisionAccuracy(
    string Precision, IReadOnlyList<BlockAccuracy> Blocks, RelativeError Logits, double Agreement, double? Correct, IReadOnlyList<OtherLabel> Others,
    IReadOnlyList<GradientAccuracy> Gradients, LabelAgreement? Labels);

/// <summary>Every precision of a device.</summary>
/// <param name="Device">The device, for people.</param>
/// <param name="Cells">Cells that were labelled.</param>
/// <param name="TruthCells">The first so many of them were computed in float64 too.</param>
/// <param name="MedianMargin">Median over the cells of the two largest logits' difference in float32.</param>
/// <param name="Precisions">One for each precision, float32 first.</param>
public sealed record AccuracyResult(string Device, int Cells, int TruthCells, double MedianMargin, IReadOnlyList<PrecisionAccuracy> Precisions);
