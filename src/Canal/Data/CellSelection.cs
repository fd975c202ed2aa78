namespace Canal.Data;

/// <summary>A choice of cells by their obs columns: <c>split == train and donor in (human1, human2)</c> (design.md, Formats).</summary>
public sealed class CellSelection
{
    /// <summary>One condition on one column.</summary>
    /// <param name="Column">obs column.</param>
    /// <param name="Values">The values that match.</param>
    /// <param name="Negated">Whether a cell must match none of them.</param>
    internal sealed record Condition(string Column, IReadOnlyList<string> Values, bool Negated);

    private readonly IReadOnlyList<Condition> conditions;

    private CellSelection(string text, IReadOnlyList<Condition> conditions) => (Text, this.conditions) = (text, conditions);

    /// <summary>As the user wrote it.</summary>
    public string Text { get; }

    /// <summary>Reads a selection.</summary>
    /// <exception cref="UserException">It is not of the form; the message says what was expected where.</exception>
    public static CellSelection Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new CellSelection(text, new CellSelectionParser(text).Parse());
    }

    /// <summary>Which cells of a data set match. A missing value is equal to nothing.</summary>
    /// <exception cref="UserException">There is no such column.</exception>
    public bool[] Apply(ExpressionFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var selected = new bool[file.CellCount];
        Array.Fill(selected, true);
        foreach (var condition in conditions)
        {
            var column = file.ReadObs(condition.Column).Values;
            for (var cell = 0; cell < selected.Length; cell++) selected[cell] &= Matches(condition, column[cell]) != condition.Negated;
        }
        return selected;
    }

    /// <summary>Why nothing was selected: the values that the columns do hold.</summary>
    internal string Explain(ExpressionFile file)
    {
        const int shown = 8;
        return string.Join("; ", conditions.Select(condition =>
        {
            var values = file.ReadObs(condition.Column).Values.Where(v => v is not null).Distinct(StringComparer.Ordinal).ToList();
            return $"{condition.Column} holds {string.Join(", ", values.Take(shown))}{(values.Count > shown ? $" and {values.Count - shown} more" : "")}";
        }));
    }

    private static bool Matches(Condition condition, string? value)
    {
        if (value is null) return false;
        var trimmed = value.Trim();
        foreach (var wanted in condition.Values)
        {
            if (string.Equals(trimmed, wanted, StringComparison.Ordinal)) return true;
            // Booleans are written True or true by different tools.
            if (bool.TryParse(trimmed, out var a) && bool.TryParse(wanted, out var b) && a == b) return true;
        }
        return false;
    }
}
