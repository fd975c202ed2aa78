namespace Canal.Data;

/// <summary>What a value of an obs column says as a cell's label.</summary>
public static class CellLabel
{
    /// <summary>The trimmed label; null where it is missing: no value, blanks, or <c>nan</c> in any case, the text that pandas writes for a missing value of a string column.</summary>
    public static string? Of(string? value) =>
        value?.Trim() is { Length: > 0 } label && !string.Equals(label, "nan", StringComparison.OrdinalIgnoreCase) ? label : null;
}
