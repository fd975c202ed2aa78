using Canal.Data;
using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Layers;
using Canal.Learning;
using Canal.Models;

namespace Canal.Benchmarks;

/// <summary>
/// Measures what each precision of a device is worth on a trained model's own activations: block by block, in the logits and in the gradient against
/// float64, and label by label against float32.
/// </summary>
public static class AccuracyBenchmark
{
    /// <summary>Cells that are computed in float64 unless told otherwise: each takes seconds at scBERT's size, and again for the gradient of every precision.</summary>
    public const int DefaultTruthCells = 4;

    /// <summary>Runs the model in every precision.</summary>
    /// <param name="devices">Each precision and how to open the device with it; the first is float32.</param>
    /// <param name="model">A trained annotation model.</param>
    /// <param name="cells">Cells prepared for the model.</param>
    /// <param name="truthCells">How many of them, from the first, to compute in float64 too: at most a micro-batch.</param>
    /// <param name="progress">Told what is done; may be null.</param>
    /// <param name="stop">Stops between two batches.</param>
    /// <exception cref="UserException">It is a base model, or there are no cells.</exception>
    public static AccuracyResult Run(
        IReadOnlyList<(CudaPrecision Precision, Func<Device> Open)> devices, AnnotationModel model, PreparedCells cells, int truthCells,
        IProgress<LearningProgress>? progress, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(cells);
        if (model.Kind != ModelKind.Annotation) throw new UserException("accuracy is measured with an annotation model; this is a base model, which knows no cell types");
        if (cells.Count == 0) throw new UserException("there are no cells to measure accuracy with");
        truthCells = Math.Clamp(truthCells, 1, Math.Min(cells.Count, CellTypeInference.BatchFor(model.Configuration.Encoder())));
        Say("the model in float64");
        var labels = KnownLabels(model, cells);
        var exact = new ModelInFloat64(model);
        var runs = Runs(exact, cells, truthCells, stop);
        var truth = Truth(runs, model.Configuration.Blocks);
        var gradients = new GradientAccuracyRun(model, exact, cells, runs, labels, stop);
        var results = new List<PrecisionAccuracy>();
        float[]? reference = null;
        var (types, description) = (model.Library.Count, "");
        foreach (var (precision, open) in devices)
        {
            Say($"the model in {precision.Name}");
            using var device = open();
            if (reference is null) description = device.Description;
            using var network = new CellTypeNetwork(device, model);
            var blocks = Blocks(network, cells, truth, stop);
            var logits = Logits(network, cells, stop);
            reference ??= logits;
            var others = Others(model, cells, reference, logits);
            results.Add(new PrecisionAccuracy(
                precision.Name, blocks, RelativeError.Of(logits.AsSpan(0, truthCells * types), truth.Logits), Share(cells.Count, c => Best(logits, types, c) == Best(reference, types, c)),
                labels.Any(l => l >= 0) ? Share(cells.Count, c => Best(logits, types, c) == labels[c], c => labels[c] >= 0) : null, others,
                gradients.Measure(network, precision, stop), LabelAgreement.NeededFor(precision) is { } needed ? new LabelAgreement(needed, cells.Count, others.Count) : null));
        }
        var margins = Enumerable.Range(0, cells.Count).Select(c => Margin(reference!, types, c)).Order().ToArray();
        return new AccuracyResult(description, cells.Count, truthCells, margins[margins.Length / 2], results);

        void Say(string what) => progress?.Report(LearningProgress.Say(what));
    }

    private static RunInFloat64[] Runs(ModelInFloat64 float64, PreparedCells cells, int count, CancellationToken stop)
    {
        var (runs, tokens) = (new RunInFloat64[count], new byte[cells.Tokens.Length]);
        for (var cell = 0; cell < count; cell++)
        {
            stop.ThrowIfCancellationRequested();
            cells.Tokens.Expand(cell, tokens);
            runs[cell] = float64.Run(tokens);
        }
        return runs;
    }

    private static ModelTruth Truth(RunInFloat64[] runs, int blocks)
    {
        var all = Enumerable.Range(0, blocks);
        return new ModelTruth(runs.Length, [.. all.Select(block => Joined(run => run.Attention[block]))], [.. all.Select(block => Joined(run => run.Blocks[block]))], Joined(run => run.Logits));

        double[] Joined(Func<RunInFloat64, double[]> values) => [.. runs.SelectMany(values)];
    }

    // A micro-batch block by block. The attention runs operation by operation beside the fused block that inference takes: the same bits (Tape.FusesBlocks).
    private static List<BlockAccuracy> Blocks(CellTypeNetwork network, PreparedCells cells, ModelTruth truth, CancellationToken stop)
    {
        using var inference = new CellTypeInference(network);
        var (device, tape, pass) = (network.Device, inference.Tape, new EncoderPass(inference.BatchCells));
        var count = truth.Cells * network.ActivationWidth;
        var x = network.Encoder.Embed(tape, inference.Expand(new StoredTokens(cells.Tokens), [.. Enumerable.Range(0, truth.Cells)]));
        var before = Read(x);
        var results = new List<BlockAccuracy>();
        for (var block = 0; block < network.Encoder.Blocks.Count; block++)
        {
            stop.ThrowIfCancellationRequested();
            var layer = network.Encoder.Blocks[block];
            var h = layer.AttentionNorm.Forward(tape, x, tape.ActivationType(depends: false));
            var attended = layer.Attention.Forward(tape, h, x, pass);
            h.Release();
            var added = Read(attended);
            attended.Release();
            for (var i = 0; i < added.Length; i++) added[i] -= before[i];
            var y = layer.Forward(tape, x, pass);
            x.Release();
            (x, before) = (y, Read(y));
            results.Add(new BlockAccuracy(block, RelativeError.Of(added, truth.Attention[block]), RelativeError.Of(before, truth.Blocks[block])));
        }
        x.Release();
        inference.End();
        return results;

        float[] Read(Variable variable)
        {
            var values = device.Read<float>(variable.Value);
            return values[..count];
        }
    }

    private static float[] Logits(CellTypeNetwork network, PreparedCells cells, CancellationToken stop)
    {
        using var inference = new CellTypeInference(network);
        var tokens = new StoredTokens(cells.Tokens);
        var (logits, batch) = (new float[cells.Count * network.Types], new float[inference.BatchCells * network.Types]);
        int[] all = [.. Enumerable.Range(0, cells.Count)];
        for (var first = 0; first < cells.Count; first += inference.BatchCells)
        {
            stop.ThrowIfCancellationRequested();
            var count = Math.Min(inference.BatchCells, cells.Count - first);
            var output = inference.Forward(tokens, all.AsSpan(first, count));
            network.Device.Read<float>(batch, output.Logits.Value);
            batch.AsSpan(0, count * network.Types).CopyTo(logits.AsSpan(first * network.Types));
            inference.End();
        }
        return logits;
    }

    // The model's number of each cell's given label; -1 where there is none, or the model does not know it.
    private static int[] KnownLabels(AnnotationModel model, PreparedCells cells)
    {
        var numbers = model.Library.Names.Select((name, number) => (name, number)).ToDictionary(pair => pair.name, pair => pair.number, StringComparer.Ordinal);
        return [.. cells.Labels.Select(label => label < 0 ? -1 : numbers.GetValueOrDefault(cells.Types[label], -1))];
    }

    private static List<OtherLabel> Others(AnnotationModel model, PreparedCells cells, float[] reference, float[] logits)
    {
        var types = model.Library.Count;
        return [.. Enumerable.Range(0, cells.Count).Where(c => Best(reference, types, c) != Best(logits, types, c)).Select(c => new OtherLabel(
            cells.CellIds[c], model.Library.Names[Best(reference, types, c)], model.Library.Names[Best(logits, types, c)], Margin(reference, types, c), Margin(logits, types, c)))
            .OrderByDescending(o => o.MarginInFloat32)];
    }

    private static double Share(int cells, Func<int, bool> holds, Func<int, bool>? counts = null)
    {
        var counted = Enumerable.Range(0, cells).Where(c => counts is null || counts(c)).ToArray();
        return (double)counted.Count(holds) / counted.Length;
    }

    // Ties go to the lowest, as in Prediction.
    private static int Best(float[] logits, int types, int cell)
    {
        var best = 0;
        for (var type = 1; type < types; type++)
        {
            if (logits[(cell * types) + type] > logits[(cell * types) + best]) best = type;
        }
        return best;
    }

    private static double Margin(float[] logits, int types, int cell)
    {
        if (types == 1) return double.PositiveInfinity;
        var sorted = logits.AsSpan(cell * types, types).ToArray();
        Array.Sort(sorted);
        return (double)sorted[^1] - sorted[^2];
    }

    private sealed record ModelTruth(int Cells, double[][] Attention, double[][] Blocks, double[] Logits);
}
