using System.Text.Json;
using Canal.Data;
using Canal.Data.H5ad;

namespace Canal.Simulation;

/// <summary>Writes a stream of simulated studies to a folder: an .h5ad a study, one more with types that no stage teaches, and <c>stream.json</c> for <c>canal stream</c>.</summary>
public static class SimulatedStudies
{
    /// <summary>Name of the stream file.</summary>
    public const string StreamFile = "stream.json";

    private static readonly JsonSerializerOptions indented = new() { WriteIndented = true };

    /// <summary>Simulates and writes; each file appears whole or not at all.</summary>
    /// <param name="folder">The folder, made where it does not exist.</param>
    /// <param name="settings">How large.</param>
    /// <param name="progress">Told each file when it is written.</param>
    /// <returns>Paths of the files, the stream file last.</returns>
    public static IReadOnlyList<string> Write(string folder, SimulationSettings settings, Action<string>? progress = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(settings);
        var simulator = new StudySimulator(settings);
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{folder}: the folder cannot be made ({e.Message}); name another with -o.", e);
        }
        var written = new List<string>();
        for (var study = 0; study <= settings.Studies; study++)
        {
            var simulated = simulator.Simulate(study);
            var path = Path.Combine(folder, simulated.Path);
            WriteStudy(path, simulated, settings.Seed);
            written.Add(path);
            progress?.Invoke(path);
        }
        var stream = Path.Combine(folder, StreamFile);
        WriteStreamFile(stream, simulator);
        written.Add(stream);
        progress?.Invoke(stream);
        return written;
    }

    private static void WriteStudy(string path, MemoryExpressionFile study, ulong seed)
    {
        var genes = study.GeneNames("X");
        var rows = new SparseRows();
        study.OpenMatrix("X").ReadCells(0, study.CellCount, rows);
        using var writer = new H5adWriter(path, genes.Count);
        writer.Append(rows);
        writer.Complete(
            new AnnotationTable(study.CellNames, [.. study.ObsColumns.Select(c => CategoryColumn.FromValues(c, study.ReadObs(c).Values))]),
            new AnnotationTable(genes, []),
            new Dictionary<string, object> { ["source"] = StudySimulator.Notice, ["simulation_seed"] = (long)seed });
    }

    // The network is small, so that two cores train all stages in about a minute.
    private static void WriteStreamFile(string path, StudySimulator simulator)
    {
        var stages = simulator.StudyNames.SkipLast(1).ToList();
        var unseen = simulator.StudyNames[^1];
        var plan = new
        {
            name = "simulated",
            label = "cell_type",
            seeds = new[] { 1 },
            @base = new { pretrain = new { max_epochs = 4, batch = 14, accumulation = 1, rate = 1e-3, schedule = "steps" } },
            model = new { width = 48, blocks = 2, heads = 4, head_width = 16, features = 44 },
            genes = new { vocabulary = (string?)null, panel = 300 },
            ablate = new[] { "fine-tune" },
            learning = new { max_epochs = 8, bank = 300, rate = 1e-3, schedule = "steps", trainable = "all" },
            stages = stages.Select(name => new { name, data = name + ".h5ad", where = "split == train" }),
            tests = stages.Select((name, i) => new { name, stage = (int?)(i + 1), data = name + ".h5ad", where = (string?)"split == test" })
                .Append(new { name = unseen, stage = (int?)null, data = unseen + ".h5ad", where = (string?)null }),
            output = "results",
        };
        using var file = new AtomicFile(path);
        File.WriteAllText(file.TemporaryPath, JsonSerializer.Serialize(plan, indented) + "\n");
        file.Commit();
    }
}
