using System.Diagnostics;
using System.Globalization;
using Canal.Annotation;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Optimizers;
using Canal.Models;

namespace Canal.Learning;

/// <summary>What a stage starts from and learns.</summary>
/// <param name="Stage">Number of the stage, from 1.</param>
/// <param name="Previous">Cell types known before.</param>
/// <param name="Bank">Example bank before; its capacity is the stage's.</param>
/// <param name="Cells">The stage's cells.</param>
/// <param name="Earlier">Cells of all earlier stages, for <see cref="Ablation.Joint"/>; else empty.</param>
/// <param name="Budget">Epoch length and number of epochs of the full run that an ablation has to keep to; null for the full run.</param>
/// <param name="Trainable">What trains.</param>
internal sealed record StageInput(
    int Stage, CellTypeLibrary Previous, ExampleBank Bank, StageCells Cells, IReadOnlyList<StageCells> Earlier, FixedBudget? Budget,
    TrainableSet Trainable);

/// <summary>Length of a full run: its ablations take as many steps.</summary>
/// <param name="StepsPerEpoch">Steps of an epoch.</param>
/// <param name="Epochs">Epochs run.</param>
public sealed record FixedBudget(int StepsPerEpoch, int Epochs);

/// <summary>What a stage leaves behind; the network holds the best parameters.</summary>
/// <param name="Bank">The example bank now.</param>
/// <param name="Calibration">Novelty calibration; null without validation cells.</param>
/// <param name="History">Every epoch.</param>
/// <param name="Best">The epoch that was kept.</param>
/// <param name="Schedule">Which schedule ran.</param>
/// <param name="TrainingCells">Cells trained on, the bank's included.</param>
/// <param name="ValidationCells">Cells that validated.</param>
/// <param name="StepsPerEpoch">Steps of an epoch.</param>
internal sealed record StageOutcome(
    ExampleBank Bank, NoveltyCalibration? Calibration, IReadOnlyList<EpochRecord> History, EpochRecord Best,
    string Schedule, int TrainingCells, int ValidationCells, int StepsPerEpoch);

/// <summary>
/// One stage of continual learning over a network whose parameters are those of the previous model, grown by the new types
/// (method.md section 4): pool and folds, caches, training, bank, calibration.
/// </summary>
internal sealed class StageRun(CellTypeNetwork network, AnnotationModel model, StageInput input, LearningSettings settings)
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(200);

    private readonly Device device = network.Device;
    private readonly CellTypeLibrary library = model.Library;
    private ExampleBank bank = input.Bank;

    /// <summary>Whether frozen outputs and the teacher are computed once a stage; false computes them in every step, with the same bits.</summary>
    public bool Caches { get; init; } = true;

    /// <summary>Folder for scratch files.</summary>
    public string ScratchFolder { get; init; } = Path.GetTempPath();

    /// <summary>Whether this is a plan: one epoch, and neither bank nor calibration.</summary>
    public bool Rehearses { get; init; }

    /// <summary>Where the frozen blocks' outputs lie and their size in bytes; null where no block is frozen.</summary>
    public (bool InMemory, ulong Bytes)? PrefixPlace { get; private set; }

    /// <summary>Number of parameters that train; known once the stage runs.</summary>
    public long Trainable { get; private set; }

    /// <summary>Is told of steps and epochs; null for none.</summary>
    public ITaskWatcher? Watcher { get; init; }

    /// <summary>Runs the stage.</summary>
    /// <exception cref="RunInterruptedException">It was cancelled; the state is written.</exception>
    public StageOutcome Run(RunContext run)
    {
        BatchLimits.Check(settings.Batch, network.Encoder.Geometry, 1);
        var pool = BuildPool(run, out var candidates, out var stageCells);
        var steps = input.Budget?.StepsPerEpoch ?? (pool.Training.Length + settings.Batch - 1) / settings.Batch;
        network.Parameters.Train(input.Trainable);
        Trainable = network.Parameters.TrainableValues.Count;
        var distillation = settings.UsesDistillation && input.Previous.Count > 0 ? settings.Lambda * input.Previous.Count / library.Count : 0;
        var step = new StepSettings(settings.Batch, steps, settings.Smoothing, distillation, settings.MaximumGradientNorm);
        var reserve = StepMemory.Of(device, model, input.Trainable, step, Caches, teacher: distillation > 0).Bytes;
        using var prefix = Caches ? PrefixCache(pool, reserve, run) : null;
        if (input.Previous.Count == 0) HeadStart.Settle(network, pool, prefix);
        using var teacher = distillation > 0 ? TeacherCache(pool, prefix, reserve, run) : null;
        var schedule = RateSchedule.For(settings.Schedule, settings.Rate, steps, settings.MaxEpochs);
        Say(run, $"{pool.Training.Length} training and {pool.Validation.Length} validation cells, {steps} steps an epoch; {schedule.Description}");
        using var task = new StageTask(network, pool, step, prefix, teacher is null ? null : new CachedTeacher(teacher));
        var budget = new LoopBudget(settings.Batch, steps, settings.MaxEpochs, settings.Patience, Rehearses ? 1 : input.Budget?.Epochs);
        var loop = new TrainingLoop(WatchedTask.Of(task, Watcher), budget, schedule, settings.Seed, input.Stage);
        loop.Run(run);
        SayIfNothingWasLearned(pool, loop.BestEpoch, run);
        var outputs = Outputs(pool, prefix, run);
        return new StageOutcome(
            Rehearses ? bank : NewBank(candidates, stageCells, outputs), Rehearses ? null : Calibrate(pool, outputs), loop.History, loop.BestEpoch,
            schedule.Description, pool.Training.Length, pool.Validation.Length, steps);
    }

    private void SayIfNothingWasLearned(StagePool pool, EpochRecord best, RunContext run)
    {
        if (Rehearses || pool.Validation.Length == 0) return;
        var most = pool.Validation.GroupBy(cell => pool.Labels[cell]).MaxBy(group => group.Count())!;
        if (most.Count() == pool.Validation.Length || best.ValidationAccuracy * pool.Validation.Length > most.Count() + 0.5) return;
        Say(run, $"nothing was learned: {best.ValidationAccuracy:P1} of the validation cells are right, no more than by calling every cell {library.Names[most.Key]}. Try more epochs, another --rate or another --seed");
    }

    // The pool: earlier stages' cells (joint only), the stage's, then the bank's.
    private StagePool BuildPool(RunContext run, out BankCandidate[] candidates, out Range stageCells)
    {
        var parts = new List<ICellTokens>();
        var (labels, validates) = (new List<int>(), new List<bool>());
        foreach (var earlier in settings.Ablation == Ablation.Joint ? input.Earlier : [])
        {
            var (types, validating) = earlier.Divide(library);
            Append(earlier, types, validating);
        }
        var first = labels.Count;
        var (own, folds) = input.Cells.Divide(library);
        (bank, var known) = BankOverlap.Settle(input.Bank, model.Bank.Examples.Concat(input.Bank.Examples), input.Cells, folds);
        if (known > 0) Say(run, $"{known} cells are in the example bank already: they keep their fold, and are taken once");
        Append(input.Cells, own, folds);
        stageCells = first..labels.Count;
        candidates = input.Cells.Candidates(own, folds);
        if (settings.UsesReplay)
        {
            parts.Add(new BankTokens(bank.Examples));
            labels.AddRange(bank.Examples.Select(e => e.Label));
            validates.AddRange(bank.Examples.Select(e => e.Validates));
        }
        var cells = Enumerable.Range(0, labels.Count).ToArray();
        var pool = new StagePool(new ConcatenatedTokens([.. parts]), [.. labels], [.. cells.Where(c => !validates[c])], [.. cells.Where(c => validates[c])]);
        if (pool.Training.Length == 0) throw new UserException($"Stage {input.Cells.Name} has no cell to train on.");
        return pool;

        void Append(StageCells stage, int[] types, bool[] validating)
        {
            parts.Add(stage.Tokens);
            labels.AddRange(types);
            validates.AddRange(validating);
        }
    }

    // Worth it only where a block is frozen: the embedding alone costs less than reading its output back.
    private ActivationCache? PrefixCache(StagePool pool, nuint reserve, RunContext run)
    {
        if (network.Encoder.FrozenBlocks == 0) return null;
        var cache = ActivationCache.Create(device, pool.Tokens.Count, network.ActivationWidth, reserve, ScratchFolder);
        PrefixPlace = (cache.InMemory, (ulong)pool.Tokens.Count * (ulong)network.ActivationWidth * sizeof(float));
        Say(run, $"frozen blocks' output of {pool.Tokens.Count} cells kept in {(cache.InMemory ? "memory" : "a scratch file")}");
        using var inference = new CellTypeInference(network);
        ForEachBatch(pool, inference, LearningPhase.Prefix, run, cells =>
        {
            var rows = inference.ForwardPrefix(pool.Tokens, cells).Value;
            cache.Write(cells[0], rows.Slice(0, cells.Length * network.Encoder.Geometry.Positions));
        });
        return cache;
    }

    // Before its first step the network is the previous model: new prototypes do not touch the representation.
    private ActivationCache TeacherCache(StagePool pool, ActivationCache? prefix, nuint reserve, RunContext run)
    {
        var cache = ActivationCache.Create(device, pool.Tokens.Count, network.RepresentationWidth, reserve, ScratchFolder);
        using var inference = new CellTypeInference(network, prefix);
        ForEachBatch(pool, inference, LearningPhase.Teacher, run, cells =>
            cache.Write(cells[0], inference.Forward(pool.Tokens, cells).Representation.Value.Slice(0, cells.Length)));
        return cache;
    }

    private CellOutputs Outputs(StagePool pool, ActivationCache? prefix, RunContext run)
    {
        var (types, width) = (network.Types, network.RepresentationWidth);
        var outputs = new CellOutputs(types, new float[pool.Tokens.Count * types], width, new float[pool.Tokens.Count * width]);
        using var inference = new CellTypeInference(network, prefix);
        ForEachBatch(pool, inference, LearningPhase.Bank, run, cells =>
        {
            var forward = inference.Forward(pool.Tokens, cells);
            device.Read<float>(outputs.Logits.AsSpan(cells[0] * types, cells.Length * types), forward.Logits.Value.Slice(0, cells.Length));
            device.Read<float>(outputs.Representations.AsSpan(cells[0] * width, cells.Length * width), forward.Representation.Value.Slice(0, cells.Length));
        });
        return outputs;
    }

    private ExampleBank NewBank(BankCandidate[] candidates, Range stageCells, CellOutputs outputs)
    {
        if (!settings.UsesReplay) return ExampleBank.Empty(0);
        var (first, count) = stageCells.GetOffsetAndLength(outputs.Cells);
        var representations = outputs.Representations.AsMemory(first * outputs.Width, count * outputs.Width);
        var ranking = new BankRanking(candidates, representations, network.Parameters.Read(CellTypeHead.PrototypeName), outputs.Width, settings.Seed);
        return settings.Ablation == Ablation.NoBalance
            ? bank.UpdateUnbalanced(input.Stage, ranking, input.Cells.TokensOf)
            : bank.Update(library.Count, input.Stage, ranking, settings.BankPolicy, input.Cells.TokensOf);
    }

    private NoveltyCalibration? Calibrate(StagePool pool, CellOutputs outputs)
    {
        var validation = outputs.Select(pool.Validation);
        var calibration = NoveltyCalibration.Fit(
            new NoveltySettings { AcceptanceRate = settings.AcceptanceRate }, outputs.Select(pool.Training), [.. pool.Training.Select(c => pool.Labels[c])], validation);
        if (calibration is null) return null;
        var taught = pool.Training.Select(cell => pool.Labels[cell]).Distinct().Order().ToList(); // without replay not every type has cells
        var genes = GeneStatistics.Of(pool.Tokens, pool.Training, [.. pool.Training.Select(cell => taught.IndexOf(pool.Labels[cell]))], library.Count, model.Panel.Count);
        return calibration.WithGenes(genes, genes.Thresholds(pool.Tokens, pool.Validation, settings.AcceptanceRate));
    }

    private static void ForEachBatch(StagePool pool, CellTypeInference inference, LearningPhase phase, RunContext run, BatchAction action)
    {
        var cells = Enumerable.Range(0, pool.Tokens.Count).ToArray();
        var clock = Stopwatch.StartNew();
        var last = TimeSpan.Zero;
        for (var first = 0; first < cells.Length; first += inference.BatchCells)
        {
            if (run.Cancel.IsCancellationRequested) throw run.Interrupted();
            var count = Math.Min(inference.BatchCells, cells.Length - first);
            action(cells.AsSpan(first, count));
            inference.End();
            if (run.Progress is null || clock.Elapsed - last < ReportEvery) continue;
            last = clock.Elapsed;
            run.Progress.Report(new LearningProgress(phase, first + count, cells.Length, (first + count) / last.TotalSeconds, 0, double.NaN, double.NaN, null));
        }
    }

    private static void Say(RunContext run, FormattableString message) => run.Progress?.Report(LearningProgress.Say(message.ToString(CultureInfo.InvariantCulture)));

    private delegate void BatchAction(ReadOnlySpan<int> cells);
}
