namespace Canal.Learning;

/// <summary>Cells of a stage that the example bank holds already: the same source and cell id, as when a data set is learned again with more cells.</summary>
/// <remarks>
/// Folds are drawn within a type's cells of the stage, so in other company the same cell could be drawn the other way, and train in one
/// copy while it validates in the other (method.md section 4: what was trained on never validates a later stage).
/// </remarks>
internal static class BankOverlap
{
    /// <summary>Gives such cells the fold that the bank has for them, and drops the bank's copies: the stage's count, with the stage's label.</summary>
    /// <param name="bank">The bank before the stage.</param>
    /// <param name="known">Cells whose fold is known: the bank's, and those that it had to drop when it was made smaller.</param>
    /// <param name="cells">The stage's cells.</param>
    /// <param name="validates">Their folds, corrected in place.</param>
    /// <returns>The bank without the copies, and how many of the stage's cells were known.</returns>
    public static (ExampleBank Bank, int Cells) Settle(ExampleBank bank, IEnumerable<BankExample> known, StageCells cells, bool[] validates)
    {
        var folds = new Dictionary<string, bool>(StringComparer.Ordinal);
        foreach (var example in known.Where(e => e.Source == cells.Name)) folds.TryAdd(example.CellId, example.Validates);
        if (folds.Count == 0) return (bank, 0);
        var found = new HashSet<string>(StringComparer.Ordinal);
        for (var cell = 0; cell < cells.Count; cell++)
        {
            if (!folds.TryGetValue(cells.CellIds[cell], out var fold)) continue;
            validates[cell] = fold;
            found.Add(cells.CellIds[cell]);
        }
        return found.Count == 0 ? (bank, 0) : (new ExampleBank(bank.Capacity, bank.Examples.Where(e => e.Source != cells.Name || !found.Contains(e.CellId))), found.Count);
    }
}
