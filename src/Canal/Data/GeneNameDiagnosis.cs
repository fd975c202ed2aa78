using System.Text.RegularExpressions;

namespace Canal.Data;

/// <summary>Says why the genes of a file are not those of the vocabulary, and what to do.</summary>
internal static partial class GeneNameDiagnosis
{
    /// <summary>The likely cure in half a sentence.</summary>
    public static string Cure(IReadOnlyList<string?> names, GeneVocabulary vocabulary)
    {
        const double most = 0.5;
        if (GeneNameColumns.Share(names, GeneNameColumns.IsEnsembl) >= most && !GeneNameColumns.IsEnsembl(vocabulary.Symbols[0]))
        {
            return "the file's genes are Ensembl ids, the model's are symbols: name the var column that holds symbols with --gene-column";
        }
        if (GeneNameColumns.IsEnsembl(vocabulary.Symbols[0]) && GeneNameColumns.Share(names, GeneNameColumns.IsEnsembl) < most)
        {
            return "the model's genes are Ensembl ids, the file's are not: name the var column that holds Ensembl ids with --gene-column";
        }
        if (GeneNameColumns.Share(names, name => Number().IsMatch(name)) >= most)
        {
            return "the file's genes are numbers: name the var column that holds symbols with --gene-column";
        }
        var asWritten = Overlap(names, vocabulary, name => name);
        if (Overlap(names, vocabulary, name => Suffix().Replace(name, "")) > asWritten + 0.2)
        {
            return "the file's symbols carry version suffixes (such as .1): strip them from the file's gene names";
        }
        if (Overlap(names, vocabulary, name => name.ToUpperInvariant()) > asWritten + 0.2)
        {
            return GeneNameColumns.Share(names, IsTitleCase) >= most
                ? "symbols in title case (such as Ins1) are those of mouse or rat: wrong species for this model"
                : "the symbols differ in case only: write them as the vocabulary does (human symbols are upper case)";
        }
        return "another species, or another naming of genes? --gene-column names the var column that holds symbols";
    }

    private static double Overlap(IReadOnlyList<string?> names, GeneVocabulary vocabulary, Func<string, string> change) =>
        GeneNameColumns.Share(names, name => vocabulary.TryFind(change(name), out _));

    private static bool IsTitleCase(string name) =>
        name.Length > 1 && char.IsAsciiLetterUpper(name[0]) && !name.Skip(1).Any(char.IsAsciiLetterUpper) && name.Any(char.IsAsciiLetterLower);

    [GeneratedRegex(@"^\d+$")]
    private static partial Regex Number();

    [GeneratedRegex(@"\.\d+$")]
    private static partial Regex Suffix();
}
