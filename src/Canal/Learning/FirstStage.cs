using Canal.Engine.Devices;
using Canal.Engine.Layers;
using Canal.Models;

namespace Canal.Learning;

/// <summary>The first stage of a variant is the full method's: only what it hands on to the second differs.</summary>
internal static class FirstStage
{
    /// <summary>The full method's model after its first stage, with the bank that the variant keeps.</summary>
    /// <param name="device">Where the cells' representations are computed, for a policy that ranks by them.</param>
    /// <param name="full">The full method's model after its first stage.</param>
    /// <param name="cells">The cells of that stage.</param>
    /// <param name="settings">The variant's settings.</param>
    /// <param name="policy">The full method's bank policy.</param>
    public static AnnotationModel Adapt(Device device, AnnotationModel full, StageCells cells, LearningSettings settings, BankPolicy policy)
    {
        if (!settings.UsesReplay) return full with { Bank = ExampleBank.Empty(0), Checksum = null };
        var unbalanced = settings.Ablation == Ablation.NoBalance;
        if (!unbalanced && settings.BankPolicy == policy) return full;
        var (labels, validates) = cells.Divide(full.Library);
        var candidates = cells.Candidates(labels, validates);
        var empty = ExampleBank.Empty(settings.BankCapacity);
        if (unbalanced)
        {
            var drawn = new BankRanking(candidates, default, [], full.Configuration.Representation, settings.Seed);
            return full with { Bank = empty.UpdateUnbalanced(1, drawn, cells.TokensOf), Checksum = null };
        }
        using var network = new CellTypeNetwork(device, full);
        var ranking = new BankRanking(
            candidates, Representations(network, cells), network.Parameters.Read(CellTypeHead.PrototypeName), network.RepresentationWidth, settings.Seed);
        return full with { Bank = empty.Update(full.Library.Count, 1, ranking, settings.BankPolicy, cells.TokensOf), Checksum = null };
    }

    private static float[] Representations(CellTypeNetwork network, StageCells cells)
    {
        var width = network.RepresentationWidth;
        var all = new float[cells.Count * width];
        var indices = Enumerable.Range(0, cells.Count).ToArray();
        using var inference = new CellTypeInference(network);
        for (var first = 0; first < indices.Length; first += inference.BatchCells)
        {
            var count = Math.Min(inference.BatchCells, indices.Length - first);
            var forward = inference.Forward(cells.Tokens, indices.AsSpan(first, count));
            network.Device.Read<float>(all.AsSpan(first * width, count * width), forward.Representation.Value.Slice(0, count));
            inference.End();
        }
        return all;
    }
}
