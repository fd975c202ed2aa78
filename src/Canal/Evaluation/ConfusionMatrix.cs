using System.Text;

namespace Canal.Evaluation;

/// <summary>How often cells of each true type were given each name.</summary>
public sealed class ConfusionMatrix
{
    private readonly int[] counts;

    /// <summary>Counts pairs of labels.</summary>
    public ConfusionMatrix(IReadOnlyList<string> truth, IReadOnlyList<string> predicted)
    {
        if (truth.Count != predicted.Count) throw new ArgumentException($"{truth.Count} true labels and {predicted.Count} predictions.", nameof(predicted));
        Names = [.. truth.Concat(predicted).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        var places = Names.Select((name, place) => (name, place)).ToDictionary(pair => pair.name, pair => pair.place, StringComparer.Ordinal);
        counts = new int[Names.Count * Names.Count];
        for (var cell = 0; cell < truth.Count; cell++) counts[(places[truth[cell]] * Names.Count) + places[predicted[cell]]]++;
    }

    /// <summary>Every name that occurs, in ordinal order: the rows (truth) and columns (prediction).</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Cells of a true type that were given a name, by place in <see cref="Names"/>.</summary>
    public int this[int truth, int predicted] => counts[(truth * Names.Count) + predicted];

    /// <summary>The matrix as comma-separated text: a row a true type.</summary>
    /// <param name="simulated">Whether the cells are simulated; the first field of the header then says so.</param>
    public string ToCsv(bool simulated = false)
    {
        var text = new StringBuilder();
        text.Append(Csv.Line([simulated ? "truth \\ predicted (simulated)" : "truth \\ predicted", .. Names.Select(Csv.Field)]));
        for (var truth = 0; truth < Names.Count; truth++)
        {
            text.Append(Csv.Line([Csv.Field(Names[truth]), .. Enumerable.Range(0, Names.Count).Select(predicted => Csv.Field(this[truth, predicted]))]));
        }
        return text.ToString();
    }
}
