using Canal.Data;
using Canal.Engine.Autograd;
using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Learning;
using Canal.Models;

namespace Canal.Annotation;

/// <summary>Gene attention by cell type.</summary>
/// <param name="Types">Names of the types, in the order asked for.</param>
/// <param name="Cells">[types]: cells averaged over.</param>
/// <param name="Genes">Symbols of the panel.</param>
/// <param name="Scores">[types, genes]: mean over cells, blocks, heads and rows of a gene's column of the attention matrix; a type's scores and its trailing token's sum to 1.</param>
/// <param name="Floor">[types]: the smallest score of any gene, an upper bound of the share that eps gives every gene.</param>
public sealed record GeneAttentionScores(IReadOnlyList<string> Types, IReadOnlyList<int> Cells, IReadOnlyList<string> Genes, double[,] Scores, double[] Floor);

/// <summary>Which genes a model looks at, by cell type (method.md section 5), in linear time: the column sums of the attention matrices.</summary>
public static class GeneAttentionProfile
{
    /// <summary>Averages gene attention over the cells of each type.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="model">The model.</param>
    /// <param name="cells">Cells prepared with the model's panel.</param>
    /// <param name="types">Type of each cell: labels, or predictions; null leaves a cell out.</param>
    /// <param name="blocks">Blocks to average over, 0-based; null for all.</param>
    /// <param name="heads">Heads to average over, 0-based; null for all.</param>
    /// <param name="progress">Told how it goes; may be null.</param>
    /// <param name="cancel">Stops between two batches.</param>
    /// <exception cref="UserException">A block or head does not exist, or a score is not finite.</exception>
    public static GeneAttentionScores Compute(
        Device device, AnnotationModel model, PreparedCells cells, IReadOnlyList<string?> types, IReadOnlyList<int>? blocks, IReadOnlyList<int>? heads,
        IProgress<LearningProgress>? progress, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(cells);
        using var network = new CellTypeNetwork(device, model);
        using var inference = new CellTypeInference(network);
        using var tape = Tape.ForInference(device);
        var geometry = network.Encoder.Geometry;
        var names = types.Where(t => t is not null).Select(t => t!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        var sums = new ExactSums(names.Count, geometry.Positions);
        var counts = new int[names.Count];
        var weights = Upload(device, HeadWeights(geometry, blocks, heads));
        var scores = device.Allocate(new Shape(inference.BatchCells, geometry.Positions));
        var host = new float[scores.Count];
        var tokens = new StoredTokens(cells.Tokens);
        int[] chosen = [.. Enumerable.Range(0, cells.Count).Where(cell => types[cell] is not null)];
        for (var first = 0; first < chosen.Length; first += inference.BatchCells)
        {
            cancel.ThrowIfCancellationRequested();
            var batch = chosen.AsSpan(first, Math.Min(inference.BatchCells, chosen.Length - first));
            device.Run(new Fill(scores, 0));
            network.Encoder.AddGeneAttention(tape, inference.Expand(tokens, batch), scores, weights, new EncoderPass(inference.BatchCells));
            device.Read<float>(host, scores);
            tape.Clear();
            for (var i = 0; i < batch.Length; i++)
            {
                var type = names.BinarySearch(types[batch[i]]!, StringComparer.Ordinal);
                counts[type]++;
                for (var t = 0; t < geometry.Positions; t++) sums.Add(type, t, Finite(host[(i * geometry.Positions) + t]));
            }
            progress?.Report(new LearningProgress(LearningPhase.Annotation, first + batch.Length, chosen.Length, double.NaN, 0, double.NaN, double.NaN, null));
        }
        scores.Storage.Dispose();
        weights.Storage.Dispose();
        return Mean(names, counts, sums, model.Panel);
    }

    private static float Finite(float score) => float.IsFinite(score) ? score
        : throw new UserException("The model's gene attention is not finite for some cell; its weights are too large to compute with.");

    private static GeneAttentionScores Mean(List<string> names, int[] counts, ExactSums sums, GenePanel panel)
    {
        var mean = new double[names.Count, panel.Count];
        var floor = new double[names.Count];
        for (var type = 0; type < names.Count; type++)
        {
            floor[type] = double.PositiveInfinity;
            for (var gene = 0; gene < panel.Count; gene++)
            {
                mean[type, gene] = sums[type, gene] / counts[type];
                floor[type] = Math.Min(floor[type], mean[type, gene]);
            }
        }
        return new GeneAttentionScores(names, counts, panel.Symbols, mean, floor);
    }

    private static Tensor Upload(Device device, float[,] weights)
    {
        var tensor = device.Allocate(new Shape(weights.GetLength(0), weights.GetLength(1)));
        device.Write<float>(tensor, weights.Cast<float>().ToArray());
        return tensor;
    }

    private static float[,] HeadWeights(EncoderGeometry geometry, IReadOnlyList<int>? blocks, IReadOnlyList<int>? heads)
    {
        var (useBlocks, useHeads) = (Checked("block", blocks, geometry.Blocks), Checked("head", heads, geometry.Heads));
        var weights = new float[geometry.Blocks, geometry.Heads];
        foreach (var block in useBlocks)
        {
            foreach (var head in useHeads) weights[block, head] = (float)(1.0 / ((double)useBlocks.Count * useHeads.Count * geometry.Positions));
        }
        return weights;
    }

    private static IReadOnlyList<int> Checked(string what, IReadOnlyList<int>? chosen, int count)
    {
        if (chosen is null || chosen.Count == 0) return [.. Enumerable.Range(0, count)];
        var wrong = chosen.Where(c => c < 0 || c >= count).Select(c => (int?)c).FirstOrDefault();
        return wrong is null ? [.. chosen.Distinct()] : throw new UserException($"The model has no {what} {wrong}; it has {what}s 0 to {count - 1}.");
    }
}
