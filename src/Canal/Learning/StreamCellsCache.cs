using System.Security.Cryptography;
using System.Text;
using Canal.Data;

namespace Canal.Learning;

/// <summary>The data sets of a stream, each prepared once for one gene panel.</summary>
internal sealed class StreamCellsCache(StreamPlan plan, string scratchFolder, IProgress<LearningProgress>? progress, CancellationToken cancel) : IDisposable
{
    private readonly Dictionary<(StreamCells Cells, string? Label, string Name, CellPurpose Purpose, string Panel), Entry> prepared = [];

    /// <summary>Whether any data set read so far says that it is simulated.</summary>
    public bool AnySimulated => prepared.Values.Any(entry => entry.Prepared.Report.Simulated);

    /// <summary>Opens the cells of a stage or test set. The caller disposes the reader.</summary>
    public DataSetReader Open(StreamCells cells, string? label, string name, CellPurpose purpose) => DataSetReader.Open(cells.Data, new DataSetSettings
    {
        Name = name,
        Where = cells.Where,
        Label = label,
        FewestGenes = plan.MinimumGenes,
        KeepLowQuality = purpose == CellPurpose.Testing,
        ScratchFolder = scratchFolder,
        // All of them are open at once.
        TokenMemoryBytes = TokenStoreWriter.DefaultMemoryBytes / Math.Max(1, plan.Base.Cells.Count + plan.Stages.Count + plan.Tests.Count),
        Cancel = cancel,
    });

    /// <summary>The cells of a stage.</summary>
    public StageCells Stage(StreamStage stage, GenePanel panel)
    {
        var entry = Get(stage.Cells, stage.Label, stage.Name, CellPurpose.Training, panel);
        return StageCells.Of(entry.Prepared, entry.ContentHash, entry.Prepared.Report.Simulated);
    }

    /// <summary>The cells of a test set.</summary>
    public PreparedCells Test(StreamTest test, GenePanel panel) => TestEntry(test, panel).Prepared;

    /// <summary>Hash of the tokens, ids and labels of a test set.</summary>
    public string TestHash(StreamTest test, GenePanel panel) => TestEntry(test, panel).Hash.Value;

    /// <summary>Cells to pre-train on.</summary>
    public PretrainSource Pretrain(StreamCells cells, string name, GenePanel panel)
    {
        var entry = Get(cells, null, name, CellPurpose.Training, panel);
        return new PretrainSource(entry.Prepared, entry.ContentHash, entry.Prepared.Report.Simulated);
    }

    /// <summary>Hash of the tokens and ids of cells to pre-train on, and of their file's contents.</summary>
    public string PretrainHash(StreamCells cells, string name, GenePanel panel)
    {
        var entry = Get(cells, null, name, CellPurpose.Training, panel);
        return $"{entry.Hash.Value} {entry.ContentHash}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var entry in prepared.Values) entry.Prepared.Dispose();
        prepared.Clear();
    }

    private Entry TestEntry(StreamTest test, GenePanel panel) => Get(test.Cells, test.Label, test.Name, CellPurpose.Testing, panel);

    private Entry Get(StreamCells cells, string? label, string name, CellPurpose purpose, GenePanel panel)
    {
        var key = (cells, label, name, purpose, PanelKey(panel));
        if (prepared.TryGetValue(key, out var found)) return found;
        using var reader = Open(cells, label, name, purpose);
        var made = reader.Prepare(panel);
        progress?.Report(LearningProgress.Say($"{name}: {string.Join("; ", made.Report.Lines().Skip(1))}"));
        foreach (var warning in made.Report.Warnings) progress?.Report(LearningProgress.Say($"{name}: warning: {warning}"));
        return prepared[key] = new Entry(made, reader.ContentHash, new Lazy<string>(() => HashOf(made)));
    }

    private static string HashOf(PreparedCells cells)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{cells.Name}\n{cells.Tokens.Checksum}\n"));
        for (var cell = 0; cell < cells.Count; cell++)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{cells.CellIds[cell]}\n{(cells.Labels[cell] < 0 ? "" : cells.Types[cells.Labels[cell]])}\n"));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string PanelKey(GenePanel panel) => panel.Vocabulary.Hash + ":" + string.Join(',', panel.Genes);

    /// <param name="Prepared">The cells.</param>
    /// <param name="ContentHash">Hash of their file's contents.</param>
    /// <param name="Hash">Hash of their tokens, ids and labels.</param>
    private sealed record Entry(PreparedCells Prepared, string ContentHash, Lazy<string> Hash);
}
