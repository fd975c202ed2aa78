using System.Security.Cryptography;
using System.Text;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Models;

namespace Canal.Learning;

/// <summary>One data set to pre-train on.</summary>
/// <param name="Cells">Its cells; labels play no part.</param>
/// <param name="SourceHash">SHA-256 of the data set's contents.</param>
/// <param name="Simulated">Whether it says that it is simulated.</param>
public sealed record PretrainSource(PreparedCells Cells, string SourceHash, bool Simulated);

/// <summary>Result of pre-training.</summary>
/// <param name="Model">The base model, not yet written.</param>
/// <param name="History">Every epoch.</param>
/// <param name="Best">The epoch that was kept.</param>
/// <param name="Schedule">Which schedule ran.</param>
public sealed record PretrainResult(AnnotationModel Model, IReadOnlyList<EpochRecord> History, EpochRecord Best, string Schedule);

/// <summary>Makes a base model by masked-expression pre-training (method.md section 7) on one or several data sets.</summary>
public sealed class Pretrainer(Device device)
{
    /// <summary>Is told of steps and epochs; null for none.</summary>
    internal ITaskWatcher? Watcher { get; init; }

    /// <summary>Pre-trains a fresh base model.</summary>
    /// <param name="fresh">A base model (<see cref="NewModel.Create"/>).</param>
    /// <param name="sources">Cells, as tokens of the model's panel.</param>
    /// <param name="settings">How.</param>
    /// <param name="context">Surroundings.</param>
    /// <exception cref="RunInterruptedException">It was cancelled; the state is written.</exception>
    public PretrainResult Pretrain(AnnotationModel fresh, IReadOnlyList<PretrainSource> sources, PretrainSettings settings, LearningContext context)
    {
        settings = settings.Validated();
        var cells = Pool(sources, settings);
        using var network = new MaskedExpressionNetwork(device, fresh);
        var outcome = new PretrainRun(network, cells, settings) { Watcher = Watcher }.Run(new RunContext(context.Folder, Identity(fresh, cells, settings, device), context.Progress, context.Cancel));
        var model = fresh.WithWeights(network.Parameters) with { Provenance = [.. fresh.Provenance, .. sources.Select(s => Record(s, settings, outcome))] };
        return new PretrainResult(model, outcome.History, outcome.Best, outcome.Schedule);
    }

    private static PretrainCells Pool(IReadOnlyList<PretrainSource> sources, PretrainSettings settings)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var validates = new List<bool>();
        foreach (var source in sources)
        {
            validates.AddRange(Folds.Validation(source.Cells.Name, source.Cells.CellIds, settings.ValidationShare));
            hash.AppendData(Encoding.UTF8.GetBytes($"{source.Cells.Name}\n{source.Cells.Tokens.Checksum}\n{string.Join('\n', source.Cells.CellIds)}\n"));
        }
        var tokens = new ConcatenatedTokens([.. sources.Select(s => new StoredTokens(s.Cells.Tokens))]);
        return new PretrainCells(tokens, [.. validates], Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static List<KeyValuePair<string, string>> Identity(AnnotationModel fresh, PretrainCells cells, PretrainSettings settings, Device device)
    {
        var identity = settings.Describe();
        identity["canal"] = StageTrainer.SoftwareVersion;
        identity["numerics"] = device.Numerics;
        identity["fresh model"] = ModelIdentity.Of(fresh);
        identity["cells"] = cells.Hash;
        return [.. identity];
    }

    private static StageRecord Record(PretrainSource source, PretrainSettings settings, PretrainOutcome outcome)
    {
        var described = settings.Describe();
        described["schedule"] = outcome.Schedule;
        return new StageRecord
        {
            Stage = 0,
            Name = source.Cells.Name,
            DataHash = source.SourceHash,
            Cells = source.Cells.Count,
            CellsLeftOut = source.Cells.Report.LowQuality,
            Seed = settings.Seed,
            SoftwareVersion = StageTrainer.SoftwareVersion,
            Simulated = source.Simulated,
            Settings = described,
            Metrics = TrainingMetrics.Of(outcome.History, outcome.Best, outcome.TrainingCells, outcome.ValidationCells, outcome.CellsPerStep),
        };
    }
}
