namespace Canal.Data;

/// <summary>What the obs table of a data set says of its cells: ids, selection, labels.</summary>
internal static class CellTable
{
    private const int Shown = 3;

    /// <summary>Ids of all cells, which must be there and distinct.</summary>
    public static IReadOnlyList<string> Ids(ExpressionFile file, string? column)
    {
        var ids = new string[file.CellCount];
        var where = column is null ? "the obs index" : $"obs column '{column}'";
        var values = column is null ? file.CellNames : file.ReadObs(column).Values;
        var seen = new HashSet<string>(ids.Length, StringComparer.Ordinal);
        for (var row = 0; row < ids.Length; row++)
        {
            ids[row] = values[row] ?? throw new UserException($"{file.Path}: {where} has no value for cell {row + 1} ('{file.CellNames[row]}'), so it cannot name the cells.");
            if (!seen.Add(ids[row]))
            {
                throw new UserException($"{file.Path}: two cells are called '{ids[row]}' in {where} (the second is cell {row + 1}): cell names must be distinct; "
                    + "make them so (in AnnData obs_names_make_unique), or name a column of distinct ids with --cell-id.");
            }
        }
        return ids;
    }

    /// <summary>Cells that a selection names: at least one.</summary>
    public static bool[] Select(ExpressionFile file, string? where)
    {
        var all = new bool[file.CellCount];
        Array.Fill(all, true);
        if (where is null) return all;
        var selection = CellSelection.Parse(where);
        var selected = selection.Apply(file);
        return selected.Contains(true) ? selected
            : throw new UserException($"{file.Path}: --where \"{where}\" selects no cell; {selection.Explain(file)}.");
    }

    /// <summary>Trimmed labels of the cells; null where missing, which is an error for a selected cell unless it may be skipped.</summary>
    public static string?[] Labels(ExpressionFile file, string column, bool[] selected, bool skipUnlabelled)
    {
        if (!file.ObsColumns.Contains(column, StringComparer.Ordinal))
        {
            throw new UserException($"{file.Path}: there is no label column '{column}' in obs; name one of {string.Join(", ", file.ObsColumns)} with --label.");
        }
        var labels = new string?[file.CellCount];
        var values = file.ReadObs(column).Values;
        for (var row = 0; row < labels.Length; row++) labels[row] = CellLabel.Of(values[row]);
        int[] missing = [.. Enumerable.Range(0, labels.Length).Where(row => selected[row] && labels[row] is null)];
        if (missing.Length == 0) return labels;
        if (missing.Length == selected.Count(s => s)) throw new UserException($"{file.Path}: none of the {missing.Length:N0} selected cells has a label in '{column}'.");
        return skipUnlabelled ? labels
            : throw new UserException($"{file.Path}: {missing.Length:N0} of {selected.Count(s => s):N0} cells have no label in '{column}' "
                + $"({string.Join(", ", missing.Take(Shown).Select(row => file.CellNames[row]))}{(missing.Length > Shown ? ", ..." : "")}): label them, or leave them out with --skip-unlabelled.");
    }
}
