using System.Globalization;
using Canal.Data;
using Canal.Engine.Random;
using Canal.Learning;
using Canal.Models;

namespace Canal.Planning;

/// <summary>Models and cells of the right sizes and of no meaning, for plans and benchmarks: weights from a seed, genes and types that are only numbered.</summary>
public static class StandIns
{
    /// <summary>What their records say where a real one names its data.</summary>
    public const string Name = "stand-in";

    private const byte Bins = 5;

    /// <summary>A panel of numbered genes.</summary>
    public static GenePanel Panel(int genes) => GenePanel.All(new GeneVocabulary(Numbered("gene", genes)));

    /// <summary>A model that has seen no cell: learning with it trains all blocks.</summary>
    public static AnnotationModel Fresh(ModelConfiguration configuration, ulong seed) =>
        AnnotationModel.Create(configuration.Validated(), Panel(configuration.Genes), CellTypeLibrary.Empty, seed);

    /// <summary>A model as pre-training leaves it.</summary>
    public static AnnotationModel Base(ModelConfiguration configuration, ulong seed) => Fresh(configuration, seed) with { Provenance = [Record(0)] };

    /// <summary>A model as its first stage leaves it: it knows types and keeps cells of each, as many as a full bank has.</summary>
    public static AnnotationModel AfterStageOne(ModelConfiguration configuration, int types, int bankCapacity, ulong seed)
    {
        var model = Base(configuration, seed);
        var quota = bankCapacity == 0 ? 0 : ExampleBank.Quota(bankCapacity, types);
        var bank = Enumerable.Range(0, types * quota).Select(place => Example(place / quota, place % quota, quota));
        return model.Grow(CellTypeLibrary.Empty.Grow(Numbered("type", types), 1), seed) with
        {
            Bank = new ExampleBank(bankCapacity, bank),
            Provenance = [.. model.Provenance, Record(1)],
        };
    }

    /// <summary>Cells to annotate or to pre-train on.</summary>
    /// <param name="panel">The model's panel.</param>
    /// <param name="cells">How many.</param>
    /// <param name="expressed">Expressed genes of each, drawn from the seed; 0 for a plan, which reads none.</param>
    /// <param name="seed">Seed of the draws.</param>
    public static PreparedCells Cells(GenePanel panel, int cells, int expressed, ulong seed)
    {
        var ids = Numbered("cell", cells);
        return new PreparedCells
        {
            Name = Name,
            Panel = panel,
            Tokens = Tokens(panel.Count, cells, expressed, seed),
            CellIds = ids,
            Rows = [.. Enumerable.Range(0, cells)],
            Labels = [.. Enumerable.Repeat(-1, cells)],
            Types = [],
            LowQuality = new bool[cells],
            Validation = new bool[cells],
            Report = Report(panel.Count, cells),
        };
    }

    /// <summary>Labelled cells of a stage, the same number of each type.</summary>
    public static StageCells Stage(PreparedCells cells, IReadOnlyList<string> types) =>
        new("stage", new StoredTokens(cells.Tokens), cells.CellIds, [.. Enumerable.Range(0, cells.Count).Select(c => types[c % types.Count])], cells.Tokens.Checksum)
        {
            SourceHash = Name,
        };

    /// <summary>Names of types, from a number on.</summary>
    public static string[] Numbered(string what, int count, int first = 0) =>
        [.. Enumerable.Range(first, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{what} {i:d6}"))];

    private static TokenStore Tokens(int genes, int cells, int expressed, ulong seed)
    {
        using var writer = new TokenStoreWriter(genes);
        var (positions, bins) = (new List<ushort>(), new List<byte>());
        for (var cell = 0; cell < cells; cell++)
        {
            var draws = new RandomSequence(seed, RandomPurpose.Testing, index: cell);
            positions.Clear();
            bins.Clear();
            for (var gene = 0; gene < genes && expressed > 0; gene++)
            {
                if (draws.NextInt(genes) >= expressed) continue;
                positions.Add((ushort)gene);
                bins.Add((byte)(1 + draws.NextInt(Bins)));
            }
            writer.Add([.. positions], [.. bins]);
        }
        return writer.Finish();
    }

    private static BankExample Example(int type, int place, int quota)
    {
        var validates = place < ExampleBank.ValidationPlaces(quota);
        return new BankExample(type, validates, 1, place + 1, Name, string.Create(CultureInfo.InvariantCulture, $"{type}-{place}"), [], []);
    }

    private static StageRecord Record(int stage) => new() { Stage = stage, Name = Name, DataHash = Name, Cells = 0, Seed = 0, SoftwareVersion = StageTrainer.SoftwareVersion };

    private static DataSetReport Report(int genes, int cells) => new()
    {
        Path = Name,
        FileCells = cells,
        SelectedCells = cells,
        UsedCells = cells,
        Unlabelled = 0,
        LowQuality = 0,
        KeepsLowQuality = true,
        FewestGenes = 0,
        Source = new CountSource("X", ExpressionState.Counts, 0, false, Name, []),
        GeneColumn = "index",
        FileGenes = genes,
        KeptGenes = genes,
        PanelGenes = genes,
        PanelCovered = genes,
        PanelExpressed = genes,
        Types = [],
        Simulated = true,
        Warnings = [],
    };
}
