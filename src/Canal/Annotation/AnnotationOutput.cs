using System.Globalization;
using Canal.Data.H5ad;
using Canal.Models;

namespace Canal.Annotation;

/// <summary>Where annotations go: columns of a copy of the data set, or a CSV file.</summary>
public static class AnnotationOutput
{
    private const string Embedding = "X_canal";

    /// <summary>Writes a copy of the data set with the annotations added. Cells that were not selected have missing values.</summary>
    /// <param name="result">The annotations.</param>
    /// <param name="cells">Cells in the file.</param>
    /// <param name="source">The data set.</param>
    /// <param name="target">The copy.</param>
    /// <param name="model">The model that annotated.</param>
    /// <param name="modelName">Its name, as the user gave it.</param>
    /// <param name="settings">Settings of the run, for <c>uns/canal</c>.</param>
    /// <param name="simulated">Whether the cells are simulated; whether those of the model are, the model knows.</param>
    /// <param name="cancel">Stops while the file is copied; nothing is written then.</param>
    public static void WriteH5ad(
        AnnotationResult result, int cells, string source, string target, AnnotationModel model, string modelName, IReadOnlyDictionary<string, string> settings, bool simulated,
        CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(result);
        var place = new int[cells];
        Array.Fill(place, -1);
        for (var cell = 0; cell < result.Count; cell++) place[result.Rows[cell]] = cell;
        H5adAnnotator.Write(source, target, new H5adAdditions
        {
            Obs = Columns(result, place),
            Obsm = [new CellEmbedding(Embedding, result.Width, (first, rows) => Fill(result, place, first, rows))],
            Uns = new Dictionary<string, object> { ["canal"] = About(result, model, modelName, settings, simulated) },
        }, cancel);
    }

    /// <summary>Writes one row a cell: its id and the columns that <see cref="WriteH5ad"/> adds to <c>obs</c>.</summary>
    /// <param name="result">The labels.</param>
    /// <param name="target">The file.</param>
    /// <param name="simulated">Whether the cells, or those that the model was made from, are simulated: a last column then says so.</param>
    public static void WriteCsv(AnnotationResult result, string target, bool simulated = false)
    {
        ArgumentNullException.ThrowIfNull(result);
        AtomicFile.Write(target, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
            writer.Write("cell,canal_cell_type,canal_best,canal_confidence,canal_second,canal_second_confidence,canal_third,canal_third_confidence,canal_novelty,canal_reason");
            writer.Write(result.Clusters is null ? "" : ",canal_cluster_type,canal_cluster_confidence");
            writer.WriteLine(simulated ? ",simulated" : "");
            for (var cell = 0; cell < result.Count; cell++)
            {
                writer.Write(Csv.Field(result.CellIds[cell]));
                foreach (var text in Row(result, cell))
                {
                    writer.Write(',');
                    writer.Write(text);
                }
                writer.WriteLine(simulated ? ",true" : "");
            }
        });
    }

    private static IEnumerable<string> Row(AnnotationResult result, int cell)
    {
        yield return Csv.Field(result.LabelOf(cell));
        for (var place = 0; place < AnnotationResult.TopTypes; place++)
        {
            yield return Csv.Field(result.TypeAt(cell, place) ?? "");
            yield return result.TypeAt(cell, place) is null ? "" : Number(result.Probabilities[(AnnotationResult.TopTypes * cell) + place]);
        }
        yield return result.Novelty[cell].ToString("R", CultureInfo.InvariantCulture);
        yield return result.ReasonOf(cell);
        if (result.Clusters is not { } clusters) yield break;
        yield return Csv.Field(clusters[cell].Label);
        yield return Number((float)clusters[cell].Confidence);
    }

    private static List<TableColumn> Columns(AnnotationResult result, int[] place)
    {
        var columns = new List<TableColumn>
        {
            Text("canal_cell_type", result.LabelOf),
            Text("canal_best", result.BestOf),
            Numbers("canal_confidence", cell => result.Probabilities[AnnotationResult.TopTypes * cell]),
            Text("canal_second", cell => result.TypeAt(cell, 1)),
            Numbers("canal_second_confidence", cell => result.Probabilities[(AnnotationResult.TopTypes * cell) + 1]),
            Text("canal_third", cell => result.TypeAt(cell, 2)),
            Numbers("canal_third_confidence", cell => result.Probabilities[(AnnotationResult.TopTypes * cell) + 2]),
            new NumberColumn<double>("canal_novelty", [.. place.Select(cell => cell < 0 ? double.NaN : result.Novelty[cell])]),
            Text("canal_reason", result.ReasonOf),
        };
        if (result.Clusters is { } clusters)
        {
            columns.Add(Text("canal_cluster_type", cell => clusters[cell].Label));
            columns.Add(Numbers("canal_cluster_confidence", cell => (float)clusters[cell].Confidence));
        }
        return columns;

        CategoryColumn Text(string name, Func<int, string?> value) => CategoryColumn.FromValues(name, [.. place.Select(cell => cell < 0 ? null : value(cell))]);

        NumberColumn<float> Numbers(string name, Func<int, float> value) => new(name, [.. place.Select(cell => cell < 0 ? float.NaN : value(cell))]);
    }

    private static void Fill(AnnotationResult result, int[] place, int first, Span<float> rows)
    {
        for (var row = 0; row * result.Width < rows.Length; row++)
        {
            var target = rows.Slice(row * result.Width, result.Width);
            if (place[first + row] < 0) target.Fill(float.NaN);
            else result.Representations.AsSpan(place[first + row] * result.Width, result.Width).CopyTo(target);
        }
    }

    private static Dictionary<string, object> About(
        AnnotationResult result, AnnotationModel model, string modelName, IReadOnlyDictionary<string, string> settings, bool simulated)
    {
        var about = new Dictionary<string, object>
        {
            ["model"] = modelName,
            ["model_checksum"] = model.Checksum ?? "",
            ["version"] = typeof(AnnotationOutput).Assembly.GetName().Version?.ToString(3) ?? "",
            ["novelty_rule"] = result.Rule.ToString().ToLowerInvariant(),
            ["cell_types"] = result.Types.ToArray(),
            ["settings"] = settings.ToDictionary(s => s.Key, s => (object)s.Value),
        };
        if (Simulated(model.Simulated, simulated) is { } note) about["simulated"] = note;
        return about;
    }

    private static string? Simulated(bool model, bool cells) => (model, cells) switch
    {
        (true, true) => "the cells are simulated, and the model was made from simulated cells",
        (true, false) => "the model was made from simulated cells",
        (false, true) => "the cells are simulated",
        _ => null,
    };

    private static string Number(float value) => value.ToString("R", CultureInfo.InvariantCulture);
}
