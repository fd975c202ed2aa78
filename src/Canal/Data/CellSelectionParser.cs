namespace Canal.Data;

/// <summary>Parser of <see cref="CellSelection"/>: conditions <c>column == value</c>, <c>column != value</c>, <c>column in (value, value)</c>, joined by <c>and</c>; names and values bare or quoted.</summary>
internal sealed class CellSelectionParser(string text)
{
    private const string Form = "write COLUMN == VALUE, COLUMN != VALUE or COLUMN in (VALUE, VALUE), joined by 'and'; quote what holds spaces";
    private int at;

    public IReadOnlyList<CellSelection.Condition> Parse()
    {
        var conditions = new List<CellSelection.Condition> { ParseCondition() };
        while (!AtEnd())
        {
            if (!TakeWord("and")) throw Expected("'and' or the end");
            conditions.Add(ParseCondition());
        }
        return conditions;
    }

    private CellSelection.Condition ParseCondition()
    {
        var column = ParseName("a column");
        if (Take("==")) return new(column, [ParseName("a value")], Negated: false);
        if (Take("!=")) return new(column, [ParseName("a value")], Negated: true);
        if (!TakeWord("in")) throw Expected("==, != or in");
        if (!Take("(")) throw Expected("(");
        var values = new List<string> { ParseName("a value") };
        while (Take(",")) values.Add(ParseName("a value"));
        return Take(")") ? new(column, values, Negated: false) : throw Expected(", or )");
    }

    private string ParseName(string what)
    {
        if (AtEnd()) throw Expected(what);
        var start = at;
        if (text[at] is '"' or '\'')
        {
            var close = text.IndexOf(text[at], at + 1);
            if (close < 0) throw Error($"the quote opened at character {start + 1} is not closed");
            at = close + 1;
            return text[(start + 1)..close].Trim();
        }
        while (at < text.Length && !char.IsWhiteSpace(text[at]) && text[at] is not ('=' or '!' or '(' or ')' or ',' or '"' or '\'')) at++;
        return at > start ? text[start..at] : throw Expected(what);
    }

    private bool AtEnd()
    {
        while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
        return at == text.Length;
    }

    private bool Take(string symbol)
    {
        if (AtEnd() || string.CompareOrdinal(text, at, symbol, 0, symbol.Length) != 0) return false;
        at += symbol.Length;
        return true;
    }

    private bool TakeWord(string word)
    {
        if (AtEnd() || string.Compare(text, at, word, 0, word.Length, StringComparison.OrdinalIgnoreCase) != 0) return false;
        var end = at + word.Length;
        if (end < text.Length && !char.IsWhiteSpace(text[end]) && text[end] != '(') return false;
        at = end;
        return true;
    }

    private UserException Expected(string what) =>
        Error($"expected {what} {(at >= text.Length ? "at the end" : $"at character {at + 1}, found '{text[at..Math.Min(text.Length, at + 12)]}'")}");

    private UserException Error(string what) => new($"--where \"{text}\": {what}; {Form}.");
}
