using Canal.Data;
using Canal.Evaluation;
using Canal.Models;

namespace Canal.Learning;

/// <summary>The features that the baseline is given.</summary>
public enum BaselineFeatures : byte
{
    /// <summary>log2(1 + v), v the counts normalised to 10,000.</summary>
    Log,

    /// <summary>The expression bins that the model sees.</summary>
    Token,
}

/// <summary>The cells of a stream as the baseline takes them: the same genes, selections and labels that <c>canal stream</c> uses.</summary>
public sealed class StreamBaselineCells : IDisposable
{
    private readonly Dictionary<(StreamCells Cells, string Label, CellPurpose Purpose), (Dictionary<BaselineFeatures, SparseFeatures> Features, string[] Labels)> read = [];
    private readonly List<FeatureStore> stores = [];
    private readonly StreamPlan plan;
    private readonly string? scratchFolder;
    private readonly Func<StreamCells, string?, CellPurpose, DataSetReader>? open;
    private readonly Action<DataSetReport>? report;
    private readonly CancellationToken cancel;

    /// <summary>Reads all cells of a stream.</summary>
    /// <param name="plan">The stream.</param>
    /// <param name="panel">The genes; null chooses them as a new model of the stream would.</param>
    /// <param name="scratchFolder">Folder for scratch files; null for the system's temporary folder.</param>
    /// <param name="open">Opens the cells of a stage or test set, by cells, label (null where labels are not read) and purpose; null for the stream's own settings.</param>
    /// <param name="report">Told what was read.</param>
    /// <param name="cancel">Stops a pass over a file, where the stream's own settings open it.</param>
    /// <exception cref="UserException">A data set cannot be read.</exception>
    public StreamBaselineCells(
        StreamPlan plan, GenePanel? panel, string? scratchFolder = null, Func<StreamCells, string?, CellPurpose, DataSetReader>? open = null, Action<DataSetReport>? report = null,
        CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        (this.plan, this.scratchFolder, this.open, this.report, this.cancel) = (plan, scratchFolder, open, report, cancel);
        Panel = panel ?? (plan.Base is { Kind: StreamBaseKind.Model, ModelPath: { } path } ? ModelFile.Load(path).Panel : ChoosePanel());
        foreach (var stage in plan.Stages) Read(stage.Cells, stage.Label, CellPurpose.Training);
        foreach (var test in plan.Tests) Read(test.Cells, test.Label, CellPurpose.Testing);
    }

    /// <summary>The genes.</summary>
    public GenePanel Panel { get; }

    /// <summary>Whether any of the data sets says that it is simulated.</summary>
    public bool Simulated { get; private set; }

    /// <summary>Training cells of the stages.</summary>
    public IReadOnlyList<BaselineStage> Stages(BaselineFeatures features) => [.. plan.Stages.Select(s => new BaselineStage(s.Name, Cells(s.Cells, s.Label, CellPurpose.Training, features)))];

    /// <summary>The test sets.</summary>
    public IReadOnlyList<BaselineTest> Tests(BaselineFeatures features) =>
        [.. plan.Tests.Select(t => new BaselineTest(new Evaluation.StreamTest(t.Name, t.Stage + 1), Cells(t.Cells, t.Label, CellPurpose.Testing, features), t.Merge))];

    private BaselineCells Cells(StreamCells cells, string label, CellPurpose purpose, BaselineFeatures features) =>
        new(read[(cells, label, purpose)].Features[features], read[(cells, label, purpose)].Labels);

    private GenePanel ChoosePanel()
    {
        var sources = plan.Base.Cells.Count > 0 ? plan.Base.Cells : [plan.Stages[0].Cells];
        var readers = new List<DataSetReader>();
        try
        {
            foreach (var source in sources) readers.Add(Open(source, null, CellPurpose.Training));
            return NewModel.Panel(readers, plan.Vocabulary, plan.PanelSize);
        }
        finally
        {
            foreach (var reader in readers) reader.Dispose();
        }
    }

    private void Read(StreamCells cells, string label, CellPurpose purpose)
    {
        if (read.ContainsKey((cells, label, purpose))) return;
        using var reader = Open(cells, label, purpose);
        using var prepared = reader.Prepare(Panel);
        report?.Invoke(prepared.Report);
        Simulated |= prepared.Report.Simulated;
        read[(cells, label, purpose)] = (
            new Dictionary<BaselineFeatures, SparseFeatures>
            {
                [BaselineFeatures.Log] = Own(reader.ReadLogFeatures(prepared)),
                [BaselineFeatures.Token] = Own(Tokens(prepared.Tokens)),
            },
            [.. prepared.Labels.Select(type => prepared.Types[type])]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var store in stores) store.Dispose();
    }

    private SparseFeatures Own(FeatureStore store)
    {
        stores.Add(store);
        return SparseFeatures.Of(store);
    }

    // The expression bins as features.
    private FeatureStore Tokens(TokenStore tokens)
    {
        var (features, values) = (new FeatureStore(Panel.Count, MemoryBytes, scratchFolder), new float[Panel.Count]);
        for (var cell = 0; cell < tokens.Cells; cell++)
        {
            var bins = tokens.Bins(cell);
            for (var i = 0; i < bins.Length; i++) values[i] = bins[i];
            features.Add(tokens.Positions(cell), values.AsSpan(0, bins.Length));
        }
        return features;
    }

    // Every set of cells has two kinds of features.
    private long MemoryBytes => FeatureStore.DefaultMemoryBytes / Math.Max(1, plan.Stages.Count + plan.Tests.Count);

    private DataSetReader Open(StreamCells cells, string? label, CellPurpose purpose) => open?.Invoke(cells, label, purpose) ?? DataSetReader.Open(cells.Data, new DataSetSettings
    {
        Where = cells.Where,
        Label = label,
        FewestGenes = plan.MinimumGenes,
        KeepLowQuality = purpose == CellPurpose.Testing,
        ScratchFolder = scratchFolder,
        TokenMemoryBytes = MemoryBytes,
        Cancel = cancel,
    });
}
