using System.Globalization;
using Canal.Data;
using Canal.Engine.Random;

namespace Canal.Simulation;

/// <summary>
/// Simulates studies of the human pancreas, for trying Canal out: type profiles with known markers and lineages, library sizes, negative-binomial
/// counts, dropout, ambient transcripts, batch effects and genes that differ between studies, rare and new types. Every file says that it is simulated.
/// The same seed gives the same studies; a study does not depend on how many there are.
/// </summary>
public sealed class StudySimulator
{
    /// <summary>Written into obs and uns of every simulated file.</summary>
    public const string Notice = "simulated by canal simulate: no cell of this file is real";

    /// <summary>obs column that holds <see cref="Notice"/>.</summary>
    public const string NoticeColumn = "simulated";

    // What a draw is for; the epoch of its stream.
    private const int ForGenes = 0, ForTypes = 1, ForLineages = 2, ForBatch = 3, ForCells = 4, ForLayout = 5;

    private const int HousekeepingGenes = 120;
    private const double ShareOfGenesMissing = 0.05;
    private const double ShareOfPoorCells = 0.01;
    private const double TestShare = 0.2;
    private const double AmbientShare = 0.05;

    // Log fold changes. With these a logistic regression names about 95 cells in a hundred of the same study.
    private const double StrongMarker = 2.9, Marker = 1.45, ShareWithRelatives = 0.25;

    private static readonly (string Name, double Library, double DropoutMiddle)[] technologies =
        [("simulated_droplet", 2000, -1.5), ("simulated_plate", 3500, -0.5), ("simulated_droplet_v1", 1600, -1.5), ("simulated_droplet", 3000, -1.5), ("simulated_plate", 6000, -0.5)];

    private readonly SimulationSettings settings;
    private readonly string[] genes;
    private readonly double[] dispersions;
    private readonly double[][] logProfiles;

    /// <summary>Draws the genes and the profiles of all cell types.</summary>
    public StudySimulator(SimulationSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        this.settings = settings.Validated();
        genes = ChooseGenes(settings.Genes);
        (logProfiles, dispersions) = DrawProfiles();
    }

    /// <summary>Genes that a study can have at most.</summary>
    public static int LargestGeneCount => CellTypeProfiles.Markers.Count() + SimulatedGenes.Background.Count;

    /// <summary>Names of the studies: stages, then the unseen one.</summary>
    public IReadOnlyList<string> StudyNames => [.. Enumerable.Range(1, settings.Studies).Select(s => string.Create(CultureInfo.InvariantCulture, $"study_{s}")), "study_unseen"];

    /// <summary>Cell types of a study, in the order they are introduced.</summary>
    public IReadOnlyList<string> TypesOf(int study) => [.. TypeIndices(study).Select(t => CellTypeProfiles.All[t].Name)];

    /// <summary>Cell types that only the unseen study has.</summary>
    public static IReadOnlyList<string> NovelTypes => [.. CellTypeProfiles.All.TakeLast(CellTypeProfiles.NovelTypes).Select(t => t.Name)];

    /// <summary>Whether a data set says that any of its cells is simulated.</summary>
    public static bool IsSimulated(ExpressionFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return file.ObsColumns.Contains(NoticeColumn, StringComparer.Ordinal) && file.ReadObs(NoticeColumn).Values.Contains(Notice, StringComparer.Ordinal);
    }

    /// <summary>Simulates a study: counts in X, obs with cell_type, split, study, donor, technology and the notice.</summary>
    /// <param name="study">0-based; <see cref="SimulationSettings.Studies"/> for the unseen one.</param>
    public MemoryExpressionFile Simulate(int study)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(study);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(study, settings.Studies);
        var unseen = study == settings.Studies;
        var name = StudyNames[study];
        // The unseen study draws from a stream of its own, whatever the number of stages.
        var stream = unseen ? CellTypeProfiles.Additions.Count + 1 : study + 1;
        var technology = technologies[unseen ? 0 : study];
        var typeOfCell = LayOut(study, stream);
        var (kept, profiles) = StudyProfiles(study, stream);
        var rows = new SparseRows();
        var (columns, counts) = (new int[kept.Length], new double[kept.Length]);
        var donors = new string[typeOfCell.Length];
        for (var cell = 0; cell < typeOfCell.Length; cell++)
        {
            var random = new RandomSequence(settings.Seed, RandomPurpose.Simulation, stream, ForCells, cell);
            donors[cell] = $"{name}_donor{1 + random.NextInt(2)}";
            var library = technology.Library * Math.Exp(0.35 * random.NextNormal());
            if (random.NextDouble() < ShareOfPoorCells) library *= 0.02;
            var profile = profiles[typeOfCell[cell]];
            var n = 0;
            for (var gene = 0; gene < kept.Length; gene++)
            {
                var mean = library * profile[gene];
                var count = CountDraws.NegativeBinomial(ref random, mean, dispersions[kept[gene]]);
                if (count == 0) continue;
                var lost = 1 / (1 + Math.Exp(1.5 * (Math.Log(mean) - technology.DropoutMiddle)));
                if (random.NextDouble() < lost) continue;
                (columns[n], counts[n]) = (gene, count);
                n++;
            }
            rows.Append(columns.AsSpan(0, n), counts.AsSpan(0, n));
        }
        string?[] Constant(string value) => [.. Enumerable.Repeat(value, typeOfCell.Length)];
        return new MemoryExpressionFile(name + ".h5ad", MemoryExpressionFile.NumberedCells(typeOfCell.Length, name + "_cell"))
            .WithMatrix("X", rows, [.. kept.Select(g => genes[g])])
            .WithObs("cell_type", [.. typeOfCell.Select(t => CellTypeProfiles.All[t].Name)])
            .WithObs("split", Split(typeOfCell, stream))
            .WithObs("study", Constant(name))
            .WithObs("donor", donors)
            .WithObs("technology", Constant(technology.Name))
            .WithObs(NoticeColumn, Constant(Notice));
    }

    private static string[] ChooseGenes(int count)
    {
        string[] markers = [.. CellTypeProfiles.Markers];
        var background = SimulatedGenes.Background;
        var first = Math.Min(HousekeepingGenes, count - markers.Length);
        var more = count - markers.Length - first;
        // The rest evenly from the whole list, so that a small study has genes of every family.
        var spread = Enumerable.Range(0, more).Select(i => background[first + (int)((long)i * (background.Count - first) / more)]);
        return [.. background.Take(first), .. markers, .. spread];
    }

    private int[] TypeIndices(int study)
    {
        if (study < settings.Studies) return CellTypeProfiles.OfStudy(study);
        var taught = CellTypeProfiles.Additions.Take(settings.Studies).Sum();
        return [.. Enumerable.Range(0, taught), .. Enumerable.Range(CellTypeProfiles.All.Count - CellTypeProfiles.NovelTypes, CellTypeProfiles.NovelTypes)];
    }

    // Log abundance of each gene in each type, before batch effects.
    private (double[][] Profiles, double[] Dispersions) DrawProfiles()
    {
        var place = genes.Select((symbol, i) => (symbol, i)).ToDictionary(g => g.symbol, g => g.i, StringComparer.Ordinal);
        var random = new RandomSequence(settings.Seed, RandomPurpose.Simulation, 0, ForGenes);
        var (baseline, spread) = (new double[genes.Length], new double[genes.Length]);
        for (var gene = 0; gene < genes.Length; gene++)
        {
            baseline[gene] = (0.9 * random.NextNormal()) + (gene < HousekeepingGenes ? 1.5 : 0) - (CellTypeProfiles.IsMarker(genes[gene]) ? 1.2 : 0);
            spread[gene] = Math.Exp(-1.2 + (0.5 * random.NextNormal()));
        }
        var lineages = CellTypeProfiles.All.Max(t => t.Lineage) + 1;
        var ofLineage = Enumerable.Range(0, lineages).Select(l => Effects(ForLineages, l, share: 0.08, size: 0.9)).ToArray();
        var profiles = CellTypeProfiles.All.Select((type, index) =>
        {
            var effects = Effects(ForTypes, index, share: 0.05, size: 0.7);
            var profile = new double[genes.Length];
            for (var gene = 0; gene < profile.Length; gene++) profile[gene] = baseline[gene] + ofLineage[type.Lineage][gene] + effects[gene];
            foreach (var other in CellTypeProfiles.All)
            {
                // A type's first markers (its hormone, its enzyme) stand out most; relatives show a little of them.
                var strength = other == type ? 1 : other.Lineage == type.Lineage ? ShareWithRelatives : 0;
                for (var i = 0; i < other.Markers.Length; i++) profile[place[other.Markers[i]]] += strength * (i < 2 ? StrongMarker : Marker);
            }
            return profile;
        }).ToArray();
        return (profiles, spread);

        double[] Effects(int purpose, int index, double share, double size)
        {
            var draws = new RandomSequence(settings.Seed, RandomPurpose.Simulation, 0, purpose, index);
            var effects = new double[genes.Length];
            for (var gene = 0; gene < effects.Length; gene++)
            {
                var (chosen, effect) = (draws.NextDouble() < share, draws.NextNormal());
                if (chosen) effects[gene] = size * effect;
            }
            return effects;
        }
    }

    // Genes that the study has, and for each type the share of its transcripts: batch effects and ambient transcripts included.
    private (int[] Kept, Dictionary<int, double[]> Profiles) StudyProfiles(int study, int stream)
    {
        var random = new RandomSequence(settings.Seed, RandomPurpose.Simulation, stream, ForBatch);
        var (kept, batch) = (new List<int>(), new List<double>());
        for (var gene = 0; gene < genes.Length; gene++)
        {
            var (missing, effect) = (random.NextDouble() < ShareOfGenesMissing, 0.4 * random.NextNormal());
            if (missing && !CellTypeProfiles.IsMarker(genes[gene])) continue;
            kept.Add(gene);
            batch.Add(effect);
        }
        var profiles = new Dictionary<int, double[]>();
        foreach (var type in TypeIndices(study))
        {
            double[] share = [.. kept.Select((gene, i) => Math.Exp(logProfiles[type][gene] + batch[i]))];
            var total = share.Sum();
            profiles[type] = [.. share.Select(s => s / total)];
        }
        var ambient = Enumerable.Range(0, kept.Count).Select(g => profiles.Values.Average(p => p[g])).ToArray();
        foreach (var profile in profiles.Values)
        {
            for (var gene = 0; gene < profile.Length; gene++) profile[gene] = ((1 - AmbientShare) * profile[gene]) + (AmbientShare * ambient[gene]);
        }
        return ([.. kept], profiles);
    }

    // Types of the cells in random order: by abundance, at least five of each; a study's new types and the novel ones are no rarer than others.
    private int[] LayOut(int study, int stream)
    {
        const int fewest = 5;
        var types = TypeIndices(study);
        var weights = types.Select(t => study == settings.Studies && t >= CellTypeProfiles.All.Count - CellTypeProfiles.NovelTypes ? 3 : CellTypeProfiles.All[t].Abundance).ToArray();
        var total = weights.Sum();
        var cells = new List<int>();
        for (var i = types.Length - 1; i > 0; i--) cells.AddRange(Enumerable.Repeat(types[i], Math.Max(fewest, (int)Math.Round(settings.Cells * weights[i] / total))));
        cells.AddRange(Enumerable.Repeat(types[0], settings.Cells - cells.Count));
        var order = cells.ToArray();
        var random = new RandomSequence(settings.Seed, RandomPurpose.Simulation, stream, ForLayout);
        random.Shuffle(order.AsSpan());
        return order;
    }

    // train or test, a fifth of each type for testing.
    private string[] Split(int[] typeOfCell, int stream)
    {
        var split = new string[typeOfCell.Length];
        Array.Fill(split, "train");
        foreach (var type in Enumerable.Range(0, typeOfCell.Length).GroupBy(c => typeOfCell[c]))
        {
            var cells = type.ToArray();
            var random = new RandomSequence(settings.Seed, RandomPurpose.Simulation, stream, ForLayout, 1 + type.Key);
            random.Shuffle(cells.AsSpan());
            foreach (var cell in cells.Take(Math.Max(1, (int)Math.Floor((TestShare * cells.Length) + 0.5)))) split[cell] = "test";
        }
        return split;
    }
}
