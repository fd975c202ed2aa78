using System.Security.Cryptography;
using System.Text;

namespace Canal.Data;

/// <summary>
/// The one way from a file to tokens (method.md section 1): find the counts, select and judge cells, align genes, choose a panel, bin. Each pass over the
/// file reads blocks of cells, so that memory does not grow with it.
/// </summary>
public sealed class DataSetReader : IDisposable
{
    private readonly DataSetSettings settings;
    private readonly CountReader reader;
    private readonly List<string> warnings = [];
    private readonly string?[]? labels;
    private readonly int[] rows;
    private readonly int unlabelled, selectedCells;
    private CellQuality? quality;
    private GeneAlignment? alignment;
    private string? contentHash;

    private delegate void CellAction(int index, ReadOnlySpan<int> genes, ReadOnlySpan<double> counts, bool lowQuality);

    /// <summary>Takes over a data set: finds its counts, checks its cell names, selects its cells and their labels.</summary>
    /// <exception cref="UserException">Something is wrong with it: one line says what, where and what to do.</exception>
    public DataSetReader(ExpressionFile file, DataSetSettings settings)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(settings);
        (File, this.settings) = (file, settings);
        reader = new CountReader(file, CountDetection.Detect(file, settings.Matrices));
        warnings.AddRange(Source.Warnings);
        CellIds = CellTable.Ids(file, settings.CellIdColumn);
        var selected = CellTable.Select(file, settings.Where);
        selectedCells = selected.Count(s => s);
        if (settings.Label is { } label)
        {
            labels = CellTable.Labels(file, label, selected, settings.SkipUnlabelled);
            for (var row = 0; row < selected.Length; row++)
            {
                if (!selected[row] || labels[row] is not null) continue;
                selected[row] = false;
                unlabelled++;
            }
        }
        rows = [.. Enumerable.Range(0, selected.Length).Where(row => selected[row])];
    }

    /// <summary>The data set.</summary>
    public ExpressionFile File { get; }

    /// <summary>The matrix in use, and what it holds.</summary>
    public CountSource Source => reader.Source;

    /// <summary>Ids of all cells of the file.</summary>
    public IReadOnlyList<string> CellIds { get; }

    /// <summary>Selected rows of the file (labelled ones, where labels are read), ascending; not yet judged.</summary>
    public IReadOnlyList<int> Rows => rows;

    /// <summary>How cells are judged; reads the file once where the median is needed.</summary>
    public CellQuality Quality => quality ??= CellQuality.Of(reader, settings.FewestGenes, settings.Cancel);

    /// <summary>SHA-256 of the file's content, lower-case hexadecimal (of the cell ids, where the data set is not a file).</summary>
    public string ContentHash => contentHash ??= Hash();

    /// <summary>Name of the data set: that of the settings, else the content hash.</summary>
    public string Name => settings.Name ?? ContentHash;

    /// <summary>Opens a file by its extension.</summary>
    public static DataSetReader Open(string path, DataSetSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var file = ExpressionFiles.Open(path, settings.ScratchFolder, settings.CellIdColumn);
        try
        {
            return new DataSetReader(file, settings);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>How the file's genes meet a vocabulary.</summary>
    public GeneAlignment Align(GeneVocabulary vocabulary)
    {
        if (alignment is null || alignment.Vocabulary != vocabulary) alignment = GeneAlignment.Match(File, Source.Location, vocabulary, settings.Genes);
        return alignment;
    }

    /// <summary>Chooses the gene panel on the selected cells that are not of low quality.</summary>
    /// <param name="vocabulary">The genes to choose from.</param>
    /// <param name="genes">Highly variable genes to take; null takes every gene with a count in any of the cells.</param>
    public GenePanel ChoosePanel(GeneVocabulary vocabulary, int? genes)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        if (genes is <= 0) throw new UserException($"A gene panel of {genes} genes: give at least 1.");
        var variable = new HighlyVariableGenes(vocabulary.Count);
        ForEachCell(Align(vocabulary), (_, places, counts, low) =>
        {
            if (!low) variable.Add(places, counts);
        });
        if (variable.Cells == 0) throw new UserException($"{File.Path}: no cell is left to choose genes on; all selected cells are of low quality (--min-genes 0 turns that judgement off).");
        var means = variable.Means();
        int[] chosen = genes is { } wanted ? variable.Select(wanted) : [.. Enumerable.Range(0, means.Length).Where(g => means[g] > 0)];
        if (chosen.Length == 0) throw new UserException($"{File.Path}: no gene varies over the {variable.Cells:N0} selected cells, so no panel can be chosen; more cells are needed.");
        if (chosen.Length < genes) warnings.Add($"the panel has {chosen.Length:N0} genes, not {genes:N0}: no other gene has a dispersion in these cells.");
        return new GenePanel(vocabulary, chosen);
    }

    /// <summary>Tokens, labels and folds of the selected cells.</summary>
    /// <exception cref="UserException">No cell is left.</exception>
    public PreparedCells Prepare(GenePanel panel)
    {
        ArgumentNullException.ThrowIfNull(panel);
        var aligned = Align(panel.Vocabulary);
        using var writer = new TokenStoreWriter(panel.Count, settings.TokenMemoryBytes, settings.ScratchFolder);
        var (used, flags, low) = (new List<int>(), new List<bool>(), 0);
        var expressed = new bool[panel.Count];
        var (positions, bins) = (new ushort[panel.Count], new byte[panel.Count]);
        ForEachCell(aligned, (index, places, counts, lowQuality) =>
        {
            if (lowQuality) low++;
            if (lowQuality && !settings.KeepLowQuality) return;
            var n = CellTokens.Fill(panel, places, counts, positions, bins, expressed);
            writer.Add(positions.AsSpan(0, n), bins.AsSpan(0, n));
            used.Add(rows[index]);
            flags.Add(lowQuality);
        });
        if (used.Count == 0)
        {
            throw new UserException($"{File.Path}: no cell is left: {rows.Length:N0} selected, all of them of low quality (fewer than {Quality.FewestGenes:0.#} expressed genes, or none of the model's); --min-genes sets the limit.");
        }
        var (types, indices) = TypesOf(used);
        string[] ids = [.. used.Select(row => CellIds[row])];
        var report = Report(panel, aligned, used.Count, low, expressed.Count(e => e), types, indices);
        return new PreparedCells
        {
            Name = Name,
            Panel = panel,
            Tokens = writer.Finish(),
            CellIds = ids,
            Rows = used,
            Labels = indices,
            Types = types,
            LowQuality = flags,
            Validation = Folds.Validation(Name, ids, indices),
            Report = report,
        };
    }

    /// <summary>Log features log2(1 + v) of cells that were prepared, in their order, v normalised to 10,000 over the aligned genes. The caller disposes them.</summary>
    public FeatureStore ReadLogFeatures(PreparedCells cells)
    {
        ArgumentNullException.ThrowIfNull(cells);
        var features = new FeatureStore(cells.Panel.Count, settings.TokenMemoryBytes, settings.ScratchFolder);
        var (positions, values) = (new ushort[cells.Panel.Count], new float[cells.Panel.Count]);
        var next = 0;
        ForEachCell(Align(cells.Panel.Vocabulary), (index, places, counts, _) =>
        {
            if (next == cells.Count || rows[index] != cells.Rows[next]) return;
            var n = CellTokens.FillLogFeatures(cells.Panel, places, counts, positions, values);
            features.Add(positions.AsSpan(0, n), values.AsSpan(0, n));
            next++;
        });
        return features;
    }

    /// <inheritdoc/>
    public void Dispose() => File.Dispose();

    private void ForEachCell(GeneAlignment genes, CellAction action)
    {
        var judged = Quality;
        var (block, aligned) = (new SparseRows(), new SparseRows());
        var next = 0;
        while (next < rows.Length)
        {
            settings.Cancel.ThrowIfCancellationRequested();
            var (first, end) = (rows[next], BlockEnd(next));
            reader.ReadCells(first, rows[end - 1] - first + 1, block);
            if (end < rows.Length) reader.Expect(rows[end], rows[BlockEnd(end) - 1] - rows[end] + 1);
            genes.Apply(block, aligned);
            for (; next < end; next++)
            {
                var cell = rows[next] - first;
                var low = judged.IsLow(CellQuality.ExpressedGenes(block, cell)) || aligned.Genes(cell).IsEmpty;
                action(next, aligned.Genes(cell), aligned.Values(cell), low);
            }
            settings.Progress?.Invoke(next, rows.Length);
        }
    }

    /// <summary>A block starts at a selected cell and never spans more than so many rows of the file.</summary>
    private int BlockEnd(int start)
    {
        var (end, most) = (start, rows[start] + CellQuality.BlockCells(reader.GeneCount));
        while (end < rows.Length && rows[end] < most) end++;
        return end;
    }

    private (IReadOnlyList<string> Types, int[] Indices) TypesOf(List<int> used)
    {
        if (labels is null) return ([], [.. used.Select(_ => -1)]);
        string[] types = [.. used.Select(row => labels[row]!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        var index = types.Select((type, i) => (type, i)).ToDictionary(t => t.type, t => t.i, StringComparer.Ordinal);
        return (types, [.. used.Select(row => index[labels[row]!])]);
    }

    private DataSetReport Report(GenePanel panel, GeneAlignment aligned, int used, int low, int expressed, IReadOnlyList<string> types, int[] indices)
    {
        var covered = aligned.Covered();
        var panelCovered = panel.Genes.Count(g => covered[g]);
        var all = new List<string>(warnings);
        if (aligned.Duplicates > 0) all.Add($"{aligned.Duplicates:N0} columns repeat the symbol of an earlier gene: {(settings.Genes.Duplicates == DuplicateGenes.Sum ? "added to it" : "left out (--duplicates sum adds them)")}.");
        if (2 * panelCovered < panel.Count) all.Add($"the file has only {panelCovered:N0} of the {panel.Count:N0} genes that the model looks at; the others read as zero, so expect more errors.");
        var cellsOfType = new int[types.Count];
        foreach (var label in indices)
        {
            if (label >= 0) cellsOfType[label]++;
        }
        return new DataSetReport
        {
            Path = File.Path,
            FileCells = File.CellCount,
            SelectedCells = selectedCells,
            UsedCells = used,
            Unlabelled = unlabelled,
            LowQuality = low,
            KeepsLowQuality = settings.KeepLowQuality,
            FewestGenes = Quality.FewestGenes,
            Source = Source,
            GeneColumn = aligned.GeneColumn,
            FileGenes = aligned.FileGenes,
            KeptGenes = aligned.Kept,
            PanelGenes = panel.Count,
            PanelCovered = panelCovered,
            PanelExpressed = expressed,
            Types = [.. types.Select((type, i) => KeyValuePair.Create(type, cellsOfType[i]))],
            Simulated = Simulation.StudySimulator.IsSimulated(File),
            Warnings = all,
        };
    }

    private string Hash()
    {
        if (!System.IO.File.Exists(File.Path)) return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', CellIds))));
        using var content = System.IO.File.OpenRead(File.Path);
        return Convert.ToHexStringLower(SHA256.HashData(content));
    }
}
