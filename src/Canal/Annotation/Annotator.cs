using System.Diagnostics;
using Canal.Data;
using Canal.Engine.Devices;
using Canal.Engine.Tensors;
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

    /// <summary>Uploads a model.</summary>
    /// <exception cref="UserException">It is a base model.</exception>
    public Annotator(Device device, AnnotationModel model)
    {
        this.model = model;
        network = new CellTypeNetwork(device, model);
        inference = new CellTypeInference(network);
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
        var run = new Run(result, detector, whole, cells.Tokens);
        var tokens = new StoredTokens(cells.Tokens);
        var batch = Enumerable.Range(0, n).ToArray();
        var clock = Stopwatch.StartNew();
        var last = TimeSpan.Zero;
        // The device works on a micro-batch while the host looks at the one before.
        using BatchResults even = NewResults(whole is not null), odd = NewResults(whole is not null);
        var (current, before) = (even, odd);
        for (var first = 0; first < n; first += inference.BatchCells)
        {
            cancel.ThrowIfCancellationRequested();
            var output = inference.Forward(tokens, batch.AsSpan(first, Math.Min(inference.BatchCells, n - first)));
            ReadOnlySpan<Tensor> wanted = [output.Logits.Value, output.Representation.Value, output.Manifold.Value];
            current.Take(output.Logits.Value, (float)settings.Temperature, wanted[..(whole is null ? 2 : 3)]);
            inference.End();
            if (first > 0) Keep(run, before, first - inference.BatchCells);
            (current, before) = (before, current);
            if (progress is null || clock.Elapsed - last < ReportEvery) continue;
            last = clock.Elapsed;
            progress.Report(new LearningProgress(LearningPhase.Annotation, first, n, first / last.TotalSeconds, 0, double.NaN, double.NaN, null));
        }
        if (n > 0) Keep(run, before, (n - 1) / inference.BatchCells * inference.BatchCells);
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
        network.Dispose();
    }

    private BatchResults NewResults(bool wholeFile)
    {
        var (types, width) = (network.Types, network.RepresentationWidth);
        return wholeFile
            ? new BatchResults(network.Device, inference.BatchCells, types, width, network.ManifoldWidth)
            : new BatchResults(network.Device, inference.BatchCells, types, width);
    }

    private void Keep(Run run, BatchResults batch, int first)
    {
        batch.Collect();
        var (result, types, width) = (run.Result, network.Types, network.RepresentationWidth);
        var count = Math.Min(batch.Cells, result.Energy.Length - first);
        batch.Types[..(3 * count)].CopyTo(result.Best.AsSpan(3 * first));
        batch.Probabilities[..(3 * count)].CopyTo(result.Probabilities.AsSpan(3 * first));
        batch.Energy[..count].CopyTo(result.Energy.AsSpan(first));
        var logits = batch.Rows(0);
        var representations = batch.Rows(1);
        representations[..(count * width)].CopyTo(result.Representations.AsSpan(first * width));
        for (var i = 0; run.Detector is { } detector && i < count; i++)
        {
            result.Novelty[first + i] = detector.Score(
                logits.Slice(i * types, types), representations.Slice(i * width, width), run.Tokens.Positions(first + i), run.Tokens.Bins(first + i));
        }
        if (run.Whole is not { } whole) return;
        logits[..(count * types)].CopyTo(whole.Logits.AsSpan(first * types));
        batch.Rows(2)[..(count * network.ManifoldWidth)].CopyTo(whole.Manifolds.AsSpan(first * network.ManifoldWidth));
    }

    private sealed record WholeFile(float[] Logits, float[] Manifolds);

    private sealed record Run(AnnotationResult Result, NoveltyDetector? Detector, WholeFile? Whole, TokenStore Tokens);
}
