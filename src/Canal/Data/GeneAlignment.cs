namespace Canal.Data;

/// <summary>What becomes of a gene symbol that occurs in several columns of a file.</summary>
public enum DuplicateGenes
{
    /// <summary>The first column counts, the others are dropped.</summary>
    First,

    /// <summary>The columns are added.</summary>
    Sum,
}

/// <summary>How genes are matched.</summary>
public sealed record GeneAlignmentSettings
{
    /// <summary>var column that holds the gene names (<c>index</c> for the index); null chooses the one with the best overlap.</summary>
    public string? GeneColumn { get; init; }

    /// <summary>What becomes of a symbol that occurs twice.</summary>
    public DuplicateGenes Duplicates { get; init; } = DuplicateGenes.First;

    /// <summary>Whether Ensembl ids also match without their version (ENSG00000141510.12).</summary>
    public bool StripVersions { get; init; } = true;

    /// <summary>Smallest share of the file's genes that must be kept.</summary>
    public double LeastOverlap { get; init; } = 0.2;
}

/// <summary>Brings the genes of a file into the vocabulary's order (method.md section 1.3).</summary>
public sealed class GeneAlignment
{
    private readonly int[] places;
    private readonly bool sums;
    private int[] genes = [];
    private double[] values = [];

    private GeneAlignment(GeneVocabulary vocabulary, string column, int[] places, int kept, int duplicates, bool sums)
    {
        (Vocabulary, GeneColumn, this.places, Kept, Duplicates, this.sums) = (vocabulary, column, places, kept, duplicates, sums);
    }

    /// <summary>The genes aligned to.</summary>
    public GeneVocabulary Vocabulary { get; }

    /// <summary>var column the names were taken from; <c>index</c> for the index.</summary>
    public string GeneColumn { get; }

    /// <summary>Genes of the file.</summary>
    public int FileGenes => places.Length;

    /// <summary>Genes of the file that the vocabulary has, a repeated symbol once.</summary>
    public int Kept { get; }

    /// <summary>Columns that repeat the symbol of an earlier one.</summary>
    public int Duplicates { get; }

    /// <summary>Share of the file's genes that are kept.</summary>
    public double Overlap => places.Length == 0 ? 0 : (double)Kept / places.Length;

    /// <summary>Vocabulary place of each column of the file; -1 where it is dropped.</summary>
    public ReadOnlySpan<int> Places => places;

    /// <summary>Whether the file has each gene of the vocabulary.</summary>
    public bool[] Covered()
    {
        var covered = new bool[Vocabulary.Count];
        foreach (var place in places)
        {
            if (place >= 0) covered[place] = true;
        }
        return covered;
    }

    /// <summary>Matches the genes of a matrix.</summary>
    /// <exception cref="UserException">The overlap is too small; the message says what the likely cure is.</exception>
    public static GeneAlignment Match(ExpressionFile file, string location, GeneVocabulary vocabulary, GeneAlignmentSettings? settings = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(vocabulary);
        settings ??= new GeneAlignmentSettings();
        var names = settings.GeneColumn is { } named ? GeneNameColumns.Read(file, location, named) : file.GeneNames(location);
        var best = Match(names, vocabulary, settings, settings.GeneColumn ?? GeneNameColumns.Index);
        if (settings.GeneColumn is null)
        {
            foreach (var column in file.VarColumns(location))
            {
                if (best.Overlap == 1) break;
                if (TryRead(file, location, column) is not { } others) continue;
                var other = Match(others, vocabulary, settings, column);
                if (other.Kept > best.Kept) best = other;
            }
        }
        if (best.Overlap >= settings.LeastOverlap && best.Kept > 0) return best;
        throw new UserException($"{file.Path}: only {best.Kept:N0} of the file's {best.FileGenes:N0} genes ({100 * best.Overlap:0.#} %) are in the gene vocabulary, "
            + $"fewer than {100 * settings.LeastOverlap:0.#} %: {GeneNameDiagnosis.Cure(names, vocabulary)}.");
    }

    // A column in an encoding that cannot be read is none to choose; the user may not even know of it.
    private static IReadOnlyList<string?>? TryRead(ExpressionFile file, string location, string column)
    {
        try
        {
            return file.ReadVar(location, column).Values;
        }
        catch (UserException)
        {
            return null;
        }
    }

    /// <summary>Matches given names, without a limit on the overlap.</summary>
    public static GeneAlignment Match(IReadOnlyList<string?> names, GeneVocabulary vocabulary, GeneAlignmentSettings? settings = null, string column = GeneNameColumns.Index)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(vocabulary);
        settings ??= new GeneAlignmentSettings();
        var places = new int[names.Count];
        var taken = new bool[vocabulary.Count];
        var (kept, duplicates) = (0, 0);
        for (var i = 0; i < places.Length; i++)
        {
            places[i] = -1;
            var name = names[i]?.Trim();
            if (name is null || !(vocabulary.TryFind(name, out var place)
                || (settings.StripVersions && vocabulary.TryFind(GeneNameColumns.WithoutVersion(name), out place)))) continue;
            if (taken[place]) duplicates++;
            else kept++;
            if (taken[place] && settings.Duplicates == DuplicateGenes.First) continue;
            (places[i], taken[place]) = (place, true);
        }
        return new GeneAlignment(vocabulary, column, places, kept, duplicates, settings.Duplicates == DuplicateGenes.Sum);
    }

    /// <summary>Replaces <paramref name="aligned"/> by the cells of <paramref name="rows"/> in vocabulary order: dropped genes are left out, absent ones are zero.</summary>
    public void Apply(SparseRows rows, SparseRows aligned)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(aligned);
        aligned.Clear();
        for (var cell = 0; cell < rows.Cells; cell++)
        {
            var columns = rows.Genes(cell);
            var counts = rows.Values(cell);
            if (genes.Length < columns.Length)
            {
                genes = new int[Math.Max(columns.Length, 2 * genes.Length)];
                values = new double[genes.Length];
            }
            var (n, sorted) = (0, true);
            for (var i = 0; i < columns.Length; i++)
            {
                var place = places[columns[i]];
                if (place < 0 || counts[i] == 0) continue;
                if (n > 0 && genes[n - 1] >= place) sorted = false;
                (genes[n], values[n]) = (place, counts[i]);
                n++;
            }
            if (!sorted)
            {
                genes.AsSpan(0, n).Sort(values.AsSpan(0, n));
                if (sums) n = AddDuplicates(n);
            }
            aligned.Append(genes.AsSpan(0, n), values.AsSpan(0, n));
        }
    }

    private int AddDuplicates(int n)
    {
        var distinct = 0;
        for (var i = 1; i < n; i++)
        {
            if (genes[i] == genes[distinct]) values[distinct] += values[i];
            else (genes[++distinct], values[distinct]) = (genes[i], values[i]);
        }
        return distinct + 1;
    }
}
