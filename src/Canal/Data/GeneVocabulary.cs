using System.Security.Cryptography;
using System.Text;

namespace Canal.Data;

/// <summary>The genes a model knows, in its order: a text file with one symbol a line, or the genes of the pre-training files.</summary>
public sealed class GeneVocabulary
{
    /// <summary>Sparse tokens keep positions in 16 bits.</summary>
    public const int LargestCount = ushort.MaxValue;

    private const long LargestFile = 64 << 20;
    private const int LongestSymbol = 1024;

    private readonly string[] symbols;
    private readonly Dictionary<string, int> places;

    /// <summary>A vocabulary of distinct symbols, trimmed.</summary>
    /// <param name="symbols">One a gene; order is kept.</param>
    /// <param name="source">Where they come from, for messages.</param>
    public GeneVocabulary(IEnumerable<string> symbols, string source = "gene vocabulary")
    {
        ArgumentNullException.ThrowIfNull(symbols);
        this.symbols = [.. symbols.Select(s => s.Trim())];
        places = new Dictionary<string, int>(this.symbols.Length, StringComparer.Ordinal);
        for (var gene = 0; gene < this.symbols.Length; gene++)
        {
            if (this.symbols[gene].Length == 0) throw new UserException($"{source}: gene {gene + 1} has no name.");
            if (!places.TryAdd(this.symbols[gene], gene))
            {
                throw new UserException($"{source}: gene '{this.symbols[gene]}' occurs twice (places {places[this.symbols[gene]] + 1} and {gene + 1}); remove one.");
            }
        }
        if (this.symbols.Length == 0) throw new UserException($"{source}: there are no genes in it.");
        if (this.symbols.Length > LargestCount) throw new UserException($"{source}: {this.symbols.Length:N0} genes; a vocabulary holds at most {LargestCount:N0}; give a list of the genes to use.");
        Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', this.symbols))));
    }

    /// <summary>Symbols in the vocabulary's order.</summary>
    public IReadOnlyList<string> Symbols => symbols;

    /// <summary>Number of genes.</summary>
    public int Count => symbols.Length;

    /// <summary>SHA-256 of the symbols joined by a newline, as lower-case hexadecimal digits.</summary>
    public string Hash { get; }

    /// <summary>Place of a symbol, exactly as written.</summary>
    public bool TryFind(string symbol, out int place) => places.TryGetValue(symbol, out place);

    /// <summary>Reads a text file, one symbol a line; empty lines are passed over.</summary>
    public static GeneVocabulary Load(string path)
    {
        try
        {
            return new GeneVocabulary(Lines(UserPath.Checked(path, "the gene vocabulary")), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path}: the gene vocabulary cannot be read ({e.Message}); give a text file with one gene symbol a line.", e);
        }
    }

    // Looks before it reads, so that a data set given by mistake is named as one and not held in memory as one endless line.
    private static List<string> Lines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        UserException NotOne(string looks) => new($"{path}: this {looks}, not a gene vocabulary; give a text file with one gene symbol a line.");
        if (file.CanSeek && file.Length > LargestFile) throw NotOne($"has {file.Length >> 20:N0} MiB");
        Span<byte> start = stackalloc byte[8];
        start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        if (start is [0x89, (byte)'H', (byte)'D', (byte)'F', ..]) throw NotOne("is an HDF5 file (.h5ad?)");
        if (start is [0x1F, 0x8B, ..]) throw NotOne("is compressed with gzip");
        if (start.Contains((byte)0)) throw NotOne("is a binary file");
        file.Position = 0;
        using var reader = new StreamReader(file, new UTF8Encoding(false, throwOnInvalidBytes: true));
        var (lines, line) = (new List<string>(), new StringBuilder());
        try
        {
            for (int read; (read = reader.Read()) >= 0;)
            {
                if (read is '\n' or '\r') Take();
                else if (line.Append((char)read).Length > LongestSymbol) throw NotOne($"has a line of more than {LongestSymbol:N0} characters");
            }
        }
        catch (DecoderFallbackException)
        {
            throw NotOne("is not UTF-8 text");
        }
        Take();
        return lines;

        void Take()
        {
            if (lines.Count > LargestCount) throw NotOne($"has more than {LargestCount:N0} lines, the most genes that a vocabulary holds");
            var text = line.ToString();
            line.Clear();
            if (!string.IsNullOrWhiteSpace(text)) lines.Add(text);
        }
    }

    /// <summary>The genes of data sets, in order of first occurrence; of each file the gene names of the given matrix, or of its most symbol-like column.</summary>
    /// <param name="files">Files with the location of the matrix that is used.</param>
    /// <param name="geneColumn">var column that holds the symbols; null to take the index, or a column of symbols where the index holds Ensembl ids.</param>
    public static GeneVocabulary FromFiles(IEnumerable<(ExpressionFile File, string Location)> files, string? geneColumn = null)
    {
        ArgumentNullException.ThrowIfNull(files);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var union = new List<string>();
        foreach (var (file, location) in files)
        {
            foreach (var name in GeneNameColumns.Symbols(file, location, geneColumn))
            {
                if (name?.Trim() is { Length: > 0 } symbol && seen.Add(symbol)) union.Add(symbol);
            }
        }
        return new GeneVocabulary(union, "the genes of the files");
    }
}
