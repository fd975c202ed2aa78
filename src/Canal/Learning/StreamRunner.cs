using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Evaluation;
using Canal.Models;

namespace Canal.Learning;

/// <summary>
/// Runs a stream file: for every seed a base, then all stages of the full method and of each ablation, each followed by every test set.
/// Every stage leaves a model and its scores; the same command goes on behind the last one, and inside a stage where it was stopped.
/// </summary>
public sealed class StreamRunner(Device device, StreamPlan plan)
{
    /// <summary>Forgets what an earlier run left in the output folder.</summary>
    public bool Restart { get; init; }

    /// <summary>Folder for scratch files; null for the output folder's own.</summary>
    public string? ScratchFolder { get; init; }

    /// <summary>Runs everything and writes <c>matrix.json</c> and <c>matrix.csv</c>.</summary>
    /// <exception cref="RunInterruptedException">It was cancelled; the same command goes on.</exception>
    public StreamOutcome Run(IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        try
        {
            return RunAll(progress, cancel);
        }
        catch (OperationCanceledException e) when (e is not RunInterruptedException)
        {
            throw new RunInterruptedException(plan.Output);
        }
    }

    private StreamOutcome RunAll(IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        CheckInputs(cancel);
        OutputFolder.Create(plan.Output);
        var scratch = ScratchFolder ?? Directory.CreateDirectory(Path.Combine(plan.Output, "scratch.partial")).FullName;
        using var cells = new StreamCellsCache(plan, scratch, progress, cancel);
        var (runs, simulated) = (new List<VariantScores>(), false);
        foreach (var seed in plan.Seeds)
        {
            var folder = Path.Combine(plan.Output, string.Create(CultureInfo.InvariantCulture, $"seed-{seed}"));
            var start = Base(folder, seed, cells, progress, cancel);
            simulated |= start.Simulated;
            VariantScores? full = null;
            foreach (var variant in plan.Variants)
            {
                runs.Add(Variant(folder, seed, variant, start, cells, full?.Stages, progress, cancel));
                full ??= runs[^1];
            }
        }
        var outcome = new StreamOutcome(Measures(runs) with { Simulated = simulated || cells.AnySimulated }, runs);
        outcome.Measures.Write(plan.Output);
        if (ScratchFolder is null) Directory.Delete(scratch, recursive: true);
        return outcome;
    }

    // What cannot be opened is said before anything is written or learned.
    private void CheckInputs(CancellationToken cancel)
    {
        if (plan.Vocabulary is { } vocabulary) GeneVocabulary.Load(vocabulary);
        if (plan.Base is { Kind: StreamBaseKind.Model, ModelPath: { } path }) ModelFile.Load(path);
        using var cells = new StreamCellsCache(plan, ScratchFolder ?? Path.GetTempPath(), null, cancel);
        foreach (var source in plan.Base.Cells) Check(source, null, CellPurpose.Training);
        foreach (var stage in plan.Stages) Check(stage.Cells, stage.Label, CellPurpose.Training);
        foreach (var test in plan.Tests) Check(test.Cells, test.Label, CellPurpose.Testing);

        void Check(StreamCells source, string? label, CellPurpose purpose)
        {
            cancel.ThrowIfCancellationRequested();
            cells.Open(source, label, source.Data, purpose).Dispose();
        }
    }

    // What only shows when all cells are read for a panel, or when the library has grown stage by stage, is said before anything trains.
    private void CheckCells(AnnotationModel start, StreamCellsCache cells, CancellationToken cancel)
    {
        var (library, settings) = (start.Library, plan.Learning.Validated() with { Ablation = Ablation.None });
        for (var index = 0; index < plan.Stages.Count; index++)
        {
            cancel.ThrowIfCancellationRequested();
            library = StageTrainer.Grow(library, start.Stages + index + 1, cells.Stage(plan.Stages[index], start.Panel), settings, []);
        }
        foreach (var test in plan.Tests)
        {
            cancel.ThrowIfCancellationRequested();
            cells.Test(test, start.Panel);
        }
    }

    private AnnotationModel Base(string folder, ulong seed, StreamCellsCache cells, IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        if (plan.Base is { Kind: StreamBaseKind.Model, ModelPath: { } path })
        {
            var given = ModelFile.Load(path);
            CheckCells(given, cells, cancel);
            return given;
        }
        var output = Path.Combine(folder, "base.safetensors");
        var first = plan.Stages[0];
        var sources = plan.Base.Cells.Count > 0 ? plan.Base.Cells : [first.Cells];
        string[] names = plan.Base.Cells.Count > 0 ? [.. sources.Select((s, i) => string.Create(CultureInfo.InvariantCulture, $"pretrain-{i + 1}"))] : [first.Name];
        var readers = sources.Select((s, i) => cells.Open(s, null, names[i], CellPurpose.Training)).ToList();
        AnnotationModel fresh;
        try
        {
            fresh = NewModel.Create(readers, plan.Vocabulary, plan.PanelSize, plan.Geometry, seed);
        }
        finally
        {
            foreach (var reader in readers) reader.Dispose();
        }
        CheckCells(fresh, cells, cancel);
        if (plan.Base.Kind == StreamBaseKind.Scratch) return fresh;
        OutputFolder.Create(folder);
        var settings = plan.Base.Settings with { Seed = seed };
        var identity = Hash([
            StageTrainer.SoftwareVersion, device.Numerics, string.Create(CultureInfo.InvariantCulture, $"min_genes={plan.MinimumGenes}"), ModelIdentity.Of(fresh),
            .. settings.Describe().Select(s => $"{s.Key}={s.Value}"), .. sources.Select((s, i) => cells.PretrainHash(s, names[i], fresh.Panel)),
        ]);
        var marker = Path.Combine(folder, "base.identity");
        if (!Restart && File.Exists(output) && File.Exists(marker))
        {
            if (File.ReadAllText(marker) != identity) throw Differs(output);
            RunFolder.RemoveFinished(output);
            return ModelFile.Load(output);
        }
        Say(progress, $"seed {seed}: pre-training");
        using var log = new StreamLog(Path.Combine(folder, "base.log"), progress);
        using var run = RunFolder.Open(output, Restart);
        var context = new LearningContext { Folder = run, Progress = log, Cancel = cancel, ScratchFolder = ScratchFolder };
        var result = new Pretrainer(device).Pretrain(fresh, [.. sources.Select((s, i) => cells.Pretrain(s, names[i], fresh.Panel))], settings, context);
        // Without its marker a base is made again: that of other settings, restarted, must not stand for this one after a kill in between.
        File.Delete(marker);
        ModelFile.Save(result.Model, output);
        AtomicFile.Write(marker, stream => stream.Write(Encoding.UTF8.GetBytes(identity)));
        run.Remove();
        return result.Model;
    }

    private VariantScores Variant(
        string seedFolder, ulong seed, StreamVariant variant, AnnotationModel start, StreamCellsCache cells, IReadOnlyList<StageScores>? full,
        IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        var name = variant.Name;
        var folder = Path.Combine(seedFolder, name);
        OutputFolder.Create(folder);
        var (model, scores) = (start, new List<StageScores>());
        for (var index = 0; index < plan.Stages.Count; index++)
        {
            var rate = model.Provenance.Count == 0 ? plan.ScratchRate : null;
            var settings = variant.Learning with { Seed = seed, Rate = rate ?? plan.Learning.Rate };
            var file = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"stage-{index + 1}-{FileName(plan.Stages[index].Name)}"));
            var stage = cells.Stage(plan.Stages[index], model.Panel);
            var company = Company(settings.Ablation, index, cells, model, full);
            var identity = Hash([
                StageTrainer.SoftwareVersion, device.Numerics, string.Create(CultureInfo.InvariantCulture, $"min_genes={plan.MinimumGenes}"), ModelIdentity.Of(model),
                stage.Hash(), .. settings.Describe().Select(s => $"{s.Key}={s.Value}"),
                .. plan.Tests.Select(t => $"{t.Name}|{cells.TestHash(t, model.Panel)}|{string.Join(',', t.Merge)}"),
                company.Budget?.ToString() ?? "", .. company.Earlier.Select(e => e.Hash()),
            ]);
            if (!Restart && StageScores.Read(file + ".json") is { } done && File.Exists(file + ".safetensors"))
            {
                if (done.Identity != identity) throw Differs(file + ".json");
                RunFolder.RemoveFinished(file + ".safetensors");
                (model, scores) = (ModelFile.Load(file + ".safetensors"), [.. scores, done]);
                continue;
            }
            Say(progress, $"seed {seed}, {name}: stage {index + 1} of {plan.Stages.Count}, {plan.Stages[index].Name}");
            (model, var scored) = Stage(file, model, stage, settings, company, identity, index == 0 && full is not null && start.Kind == ModelKind.Base ? seedFolder : null, cells, progress, cancel);
            scores.Add(scored);
        }
        return new VariantScores(seed, name, scores);
    }

    private (AnnotationModel, StageScores) Stage(
        string file, AnnotationModel previous, StageCells stage, LearningSettings settings, StageCompany company, string identity, string? sameFirstStage,
        StreamCellsCache cells, IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        using var log = new StreamLog(file + ".log", progress);
        void Save(AnnotationModel model)
        {
            // Scores vouch for the model beside them: those of other settings, restarted, must not stand beside this one after a kill in between.
            File.Delete(file + ".json");
            ModelFile.Save(model, file + ".safetensors");
        }

        // On a base there is nothing to replay or hold on to yet: every variant starts with the full method's first stage.
        if (sameFirstStage is not null)
        {
            var shared = Path.Combine(sameFirstStage, StreamPlanReader.NameOf(Ablation.None), Path.GetFileName(file));
            var first = FirstStage.Adapt(device, ModelFile.Load(shared + ".safetensors"), stage, settings, plan.Learning.BankPolicy);
            Save(first);
            var same = StageScores.Read(shared + ".json")! with { Identity = identity, Seconds = clock.Elapsed.TotalSeconds };
            same.Write(file + ".json");
            return (first, same);
        }
        using var run = RunFolder.Open(file + ".safetensors", Restart);
        var result = new StageTrainer(device).Learn(previous, stage, settings, company, new LearningContext { Folder = run, Progress = log, Cancel = cancel, ScratchFolder = ScratchFolder });
        Save(result.Model);
        using var tester = new StreamTester(device, result.Model);
        var scores = new StageScores
        {
            Stage = stage.Name,
            Identity = identity,
            StepsPerEpoch = result.Budget.StepsPerEpoch,
            Epochs = result.Budget.Epochs,
            BestEpoch = result.Best.Epoch,
            ValidationAccuracy = double.IsNaN(result.Best.ValidationAccuracy) ? null : result.Best.ValidationAccuracy,
            Schedule = result.Schedule,
            Seconds = clock.Elapsed.TotalSeconds,
            Tests = [.. plan.Tests.Select(t => tester.Score(t, cells.Test(t, result.Model.Panel), log, cancel))],
        };
        scores.Write(file + ".json");
        run.Remove();
        return (result.Model, scores);
    }

    private StageCompany Company(Ablation ablation, int index, StreamCellsCache cells, AnnotationModel model, IReadOnlyList<StageScores>? full) => new(
        ablation == Ablation.Joint ? [.. plan.Stages.Take(index).Select(s => cells.Stage(s, model.Panel))] : [],
        full is null ? null : new FixedBudget(full[index].StepsPerEpoch, full[index].Epochs));

    private StreamMeasures Measures(List<VariantScores> variants)
    {
        string[] stages = [.. plan.Stages.Select(s => s.Name)];
        Evaluation.StreamTest[] tests = [.. plan.Tests.Select(t => new Evaluation.StreamTest(t.Name, t.Stage + 1))];
        var runs = new List<StreamRun>();
        foreach (var variant in variants)
        {
            var run = StreamRun.Empty(variant.Name, variant.Seed, stages, tests);
            for (var stage = 0; stage < stages.Length; stage++)
            {
                for (var test = 0; test < tests.Length; test++)
                {
                    var score = variant.Stages[stage].Tests[test];
                    run.Set(stage + 1, test, new ClassificationScores(score.Cells, score.Accuracy ?? double.NaN, score.MacroF1 ?? double.NaN, score.AdjustedRand ?? double.NaN));
                }
            }
            runs.Add(run);
        }
        return new StreamMeasures(plan.Name, runs);
    }

    private static string FileName(string name) => string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_'));

    private static string Hash(IEnumerable<string> parts) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))));

    private static UserException Differs(string path) =>
        new($"{path} comes from other settings or data than this stream file's. Repeat the run that made it, choose another output, or use --restart.");

    private static void Say(IProgress<LearningProgress>? progress, FormattableString message) => progress?.Report(LearningProgress.Say(message.ToString(CultureInfo.InvariantCulture)));
}
