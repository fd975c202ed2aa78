using System.Text.RegularExpressions;

namespace Canal.Data;

/// <summary>Where a data set keeps the names of its genes: the var index or one of the var columns, with or without a version suffix.</summary>
internal static partial class GeneNameColumns
{
    /// <summary>What the var index is called in settings and messages.</summary>
    public const string Index = "index";

    // Names under which the common tools store symbols: CELLxGENE, scanpy's 10x readers, scanpy tutorials, Bioconductor.
    private static readonly string[] usualSymbolColumns = ["feature_name", "gene_symbols", "gene_symbol", "gene_name", "gene_names", "symbol", "Symbol", "SYMBOL", "gene_short_name"];

    /// <summary>Names in a given place.</summary>
    public static IReadOnlyList<string?> Read(ExpressionFile file, string location, string column)
    {
        if (file.VarColumns(location).Contains(column, StringComparer.Ordinal)) return file.ReadVar(location, column).Values;
        if (column == Index) return file.GeneNames(location);
        var there = string.Join(", ", file.VarColumns(location).Prepend(Index));
        throw new UserException($"{file.Path}: there is no gene column '{column}' beside {location}; --gene-column can be {there}.");
    }

    /// <summary>Symbols without a vocabulary to compare with: the index, or the usual column of symbols where the index holds Ensembl ids.</summary>
    public static IReadOnlyList<string?> Symbols(ExpressionFile file, string location, string? column)
    {
        if (column is not null) return Read(file, location, column);
        var names = file.GeneNames(location);
        if (Share(names, IsEnsembl) < 0.5) return names;
        var usual = usualSymbolColumns.FirstOrDefault(c => file.VarColumns(location).Contains(c, StringComparer.Ordinal));
        return usual is null ? names : file.ReadVar(location, usual).Values;
    }

    /// <summary>An Ensembl gene or transcript id of any species, with or without version.</summary>
    public static bool IsEnsembl(string name) => EnsemblId().IsMatch(name);

    /// <summary>An Ensembl id without its version; other names as they are.</summary>
    public static string WithoutVersion(string name) => IsEnsembl(name) && name.IndexOf('.', StringComparison.Ordinal) is > 0 and var dot ? name[..dot] : name;

    /// <summary>Share of the names for which something holds.</summary>
    public static double Share(IReadOnlyList<string?> names, Func<string, bool> holds) =>
        names.Count == 0 ? 0 : (double)names.Count(n => n is not null && holds(n.Trim())) / names.Count;

    [GeneratedRegex(@"^ENS[A-Z]{0,6}[GT]\d{11}(\.\d+)?$")]
    private static partial Regex EnsemblId();
}
