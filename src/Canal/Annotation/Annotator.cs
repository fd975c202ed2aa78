using System.Diagnostics;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Learning;
using Canal.Models;

namespace Canal.Annotation;

/// <summary>How cells are annotated.</summary>
public sealed record AnnotationSettings
{
    /// <summary>What decides novelty; null takes what the model suggests.</summary>
    public NoveltyRule? Novelty { get; init; }

    /// <summary>Seed of <see cref="NoveltyRule.File"/>'s draws.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>T of the energy.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Cluster of each cell, for majority labels; null for none.</summary>
    public IReadOnlyList<string?>? Clusters { get; init; }
}

/// <summary>
/// Labels cells with a model (method.md section 5): type, confidence, the three best types, energy, novelty, representation. A cell gets the
/// same bits in whatever company it comes, but for CANAL's published novelty rule, which looks at the whole file.
/// </summary>
public sealed class Annotator : IDisposable
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(200);
    private readonly AnnotationModel model;
    private readonly CellTypeNetwork network;
    private readonly CellTypeInference inference;
    private readonly PredictionBuffers predictions;

    /// <summary>Uploads a model.</summary>
    /// <exception cref="UserException">It is a base model.</exception>
    public Annotator(Device device, AnnotationModel model)
    {
        this.model = model;
        network = new CellTypeNetwork(device, model);
        inference = new CellTypeInference(network);
        predictions = new PredictionBuffers(device, inference.BatchCells);
    }

    /// <summary>Annotates cells that were prepared with the model's panel (low-quality ones kept, to lose no cell).</summary>
    /// <param name="cells">The cells.</param>
    /// <param name="settings">How.</param>
    /// <param name="progress">Told how it goes; may be null.</param>
    /// <param name="cancel">Stops between two batches.</param>
    /// <exception cref="UserException">The novelty rule needs a calibration that the model does not store.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public AnnotationResult Annotate(PreparedCells cells, AnnotationSettings settings, IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(cells);
        ArgumentNullException.ThrowIfNull(settings);
        var rule = settings.Novelty ?? NoveltyDetector.DefaultRule(model.Novelty);
        var detector = rule == NoveltyRule.File ? null : new NoveltyDetector(rule, model.Novelty);
        var (n, types, width) = (cells.Count, network.Types, network.RepresentationWidth);
        var result = new AnnotationResult
        {
            Types = model.Library.Names,
            Rows = cells.Rows,
            CellIds = cells.CellIds,
            Best = new int[AnnotationResult.TopTypes * n],
            Probabilities = new float[AnnotationResult.TopTypes * n],
            Energy = new float[n],
            Novelty = new double[n],
            LowQuality = cells.LowQuality,
            Representations = new float[checked(width * n)],
            Width = width,
            Rule = rule,
        };
        var whole = detector is null ? new WholeFile(new float[checked(types * n)], new float[checked(network.ManifoldWidth * n)]) : null;
        var tokens = new StoredTokens(cells.Tokens);
        var batch = Enumerable.Range(0, n).ToArray();
        var logits = new float[types * inference.BatchCells];
        var clock = Stopwatch.StartNew();
        var last = TimeSpan.Zero;
        for (var first = 0; first < n; first += inference.BatchCells)
        {
            cancel.ThrowIfCancellationRequested();
            var count = Math.Min(inference.BatchCells, n - first);
            var output = inference.Forward(tokens, batch.AsSpan(first, count));
            Keep(result, output, first, count, settings.Temperature);
            network.Device.Read<float>(logits, output.Logits.Value);
            for (var i = 0; detector is not null && i < count; i++)
            {
                result.Novelty[first + i] = detector.Score(
                    logits.AsSpan(i * types, types), result.Representations.AsSpan((first + i) * width, width), cells.Tokens.Positions(first + i), cells.Tokens.Bins(first + i));
            }
            if (whole is not null)
            {
                logits.AsSpan(0, count * types).CopyTo(whole.Logits.AsSpan(first * types));
                network.Device.Read<float>(whole.Manifolds.AsSpan(first * network.ManifoldWidth, count * network.ManifoldWidth), output.Manifold.Value.Slice(0, count));
            }
            inference.End();
            if (progress is null || clock.Elapsed - last < ReportEvery) continue;
            last = clock.Elapsed;
            progress.Report(new LearningProgress(LearningPhase.Annotation, first + count, n, (first + count) / last.TotalSeconds, 0, double.NaN, double.NaN, null));
        }
        if (whole is not null)
        {
            var scored = FileNovelty.Score(whole.Logits, whole.Manifolds, model.HeadLayers(), settings.Temperature, settings.Seed);
            for (var cell = 0; cell < n; cell++) result.Novelty[cell] = scored.Written(cell);
        }
        return settings.Clusters is { } clusters ? result with { Clusters = ClusterMajority.Of(result, clusters) } : result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        inference.Dispose();
        predictions.Dispose();
        network.Dispose();
    }

    private void Keep(AnnotationResult result, CellTypeOutput output, int first, int count, double temperature)
    {
        var predicted = predictions.Run(output.Logits.Value, (float)temperature);
        predicted.Types.AsSpan(0, 3 * count).CopyTo(result.Best.AsSpan(3 * first));
        predicted.Probabilities.AsSpan(0, 3 * count).CopyTo(result.Probabilities.AsSpan(3 * first));
        predicted.Energy.AsSpan(0, count).CopyTo(result.Energy.AsSpan(first));
        network.Device.Read<float>(result.Representations.AsSpan(first * result.Width, count * result.Width), output.Representation.Value.Slice(0, count));
    }

    private sealed record WholeFile(float[] Logits, float[] Manifolds);
}
