using Canal.Data;

namespace Canal.Learning;

/// <summary>The data sets of a stream, each prepared once for one gene panel.</summary>
internal sealed class StreamCellsCache(StreamPlan plan, string scratchFolder, IProgress<LearningProgress>? progress) : IDisposable
{
    private readonly Dictionary<(StreamCells Cells, string? Label, string Name, string Panel), (PreparedCells Prepared, string Hash, bool Simulated)> prepared = [];

    /// <summary>Whether any data set read so far says that it is simulated.</summary>
    public bool AnySimulated => prepared.Values.Any(cells => cells.Simulated);

    /// <summary>Opens the cells of a stage or test set. The caller disposes the reader.</summary>
    public DataSetReader Open(StreamCells cells, string? label, string name) => DataSetReader.Open(cells.Data, new DataSetSettings
    {
        Name = name,
        Where = cells.Where,
        Label = label,
        FewestGenes = plan.MinimumGenes,
        ScratchFolder = scratchFolder,
    });

    /// <summary>Prepared cells, with the content hash of their file and whether it says that it is simulated.</summary>
    public (PreparedCells Prepared, string Hash, bool Simulated) Get(StreamCells cells, string? label, string name, GenePanel panel)
    {
        var key = (cells, label, name, PanelKey(panel));
        if (prepared.TryGetValue(key, out var found)) return found;
        using var reader = Open(cells, label, name);
        var made = reader.Prepare(panel);
        progress?.Report(LearningProgress.Say($"{name}: {string.Join("; ", made.Report.Lines().Skip(1))}"));
        foreach (var warning in made.Report.Warnings) progress?.Report(LearningProgress.Say($"{name}: warning: {warning}"));
        return prepared[key] = (made, reader.ContentHash, made.Report.Simulated);
    }

    /// <summary>The cells of a stage.</summary>
    public StageCells Stage(StreamStage stage, GenePanel panel)
    {
        var (cells, hash, simulated) = Get(stage.Cells, stage.Label, stage.Name, panel);
        return StageCells.Of(cells, hash, simulated);
    }

    /// <summary>The cells of a test set.</summary>
    public PreparedCells Test(StreamTest test, GenePanel panel) => Get(test.Cells, test.Label, test.Name, panel).Prepared;

    /// <summary>Cells to pre-train on.</summary>
    public PretrainSource Pretrain(StreamCells cells, string name, GenePanel panel)
    {
        var (prepared, hash, simulated) = Get(cells, null, name, panel);
        return new PretrainSource(prepared, hash, simulated);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (cells, _, _) in prepared.Values) cells.Dispose();
        prepared.Clear();
    }

    private static string PanelKey(GenePanel panel) => panel.Vocabulary.Hash + ":" + string.Join(',', panel.Genes);
}
