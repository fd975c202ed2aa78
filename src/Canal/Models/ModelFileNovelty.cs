using System.Text.Json;
using Canal.Annotation;

namespace Canal.Models;

/// <summary>The novelty calibration in a model file.</summary>
internal static class ModelFileNovelty
{
    private const string Key = "canal.novelty", Prefix = "canal.novelty.", GeneMeans = "gene_means";

    /// <summary>Adds a calibration's tensors and metadata.</summary>
    public static void Write(NoveltyCalibration novelty, List<SafetensorsTensor> tensors, Dictionary<string, string> metadata)
    {
        var statistics = novelty.Statistics;
        long types = novelty.Types, width = statistics.Width;
        metadata[Key] = JsonSerializer.Serialize(new Fitted(novelty.Settings, novelty.Cells), ModelFile.Json);
        double[] ranges = [novelty.EnergyRange.Lowest, novelty.EnergyRange.Highest, novelty.DistanceRange.Lowest, novelty.DistanceRange.Highest];
        tensors.Add(SafetensorsTensor.Of(Prefix + "ranges", [2, 2], ranges));
        tensors.Add(SafetensorsTensor.Of(Prefix + "thresholds", [2, types], [.. novelty.Stored.Types, .. novelty.Distance.Types]));
        tensors.Add(SafetensorsTensor.Of(Prefix + "scales", [2], new[] { novelty.Stored.Scale, novelty.Distance.Scale }));
        tensors.Add(SafetensorsTensor.Of(Prefix + "counts", [types], statistics.Counts));
        tensors.Add(SafetensorsTensor.Of(Prefix + "means", [types, width], statistics.Means));
        tensors.Add(SafetensorsTensor.Of(Prefix + "shared", [width, width], statistics.Shared));
        tensors.Add(SafetensorsTensor.Of(Prefix + "overall_mean", [width], statistics.OverallMean));
        tensors.Add(SafetensorsTensor.Of(Prefix + "overall", [width, width], statistics.Overall));
        tensors.Add(SafetensorsTensor.Of(Prefix + "cells", [statistics.Cells.Length / width, width], statistics.Cells));
        if (novelty.Genes is { } genes) Write(genes, novelty.GeneThresholds!, tensors);
    }

    /// <summary>Reads a calibration; null where the model has none.</summary>
    /// <exception cref="FormatException">Something in it cannot be; the message says what.</exception>
    public static NoveltyCalibration? Read(SafetensorsReader reader, int types, int width, int panelGenes)
    {
        if (!reader.Metadata.ContainsKey(Key)) return null;
        var fitted = ModelFile.Parse<Fitted>(reader, Key);
        var settings = fitted.Settings;
        Require(settings.Temperature > 0 && settings.AcceptanceRate is > 0 and < 1 && settings.DistanceWeight is >= 0 and <= 1 && fitted.Cells > 0, "impossible settings");
        var (ranges, scales) = (Read(reader, "ranges", 4), Read(reader, "scales", 2));
        Require(ranges[0] <= ranges[1] && ranges[2] <= ranges[3] && scales[0] > 0 && scales[1] > 0, "impossible ranges");
        var thresholds = Read(reader, "thresholds", 2L * types);
        var counts = reader.ReadInt32(Prefix + "counts");
        Require(counts.Length == types && counts.All(count => count >= 0), "impossible counts");
        var cells = reader.ReadSingles(Prefix + "cells");
        Require(cells.Length % width == 0 && cells.Length / width <= RepresentationStatistics.MostCells && cells.All(float.IsFinite), "impossible cells");
        var genes = reader.Entries.ContainsKey(Prefix + GeneMeans) ? ReadGenes(reader, panelGenes) : default;
        Require(genes.Statistics is not null || settings.Default != NoveltyRule.Genes, "no statistics of genes");
        return new NoveltyCalibration
        {
            Settings = settings,
            EnergyRange = (ranges[0], ranges[1]),
            DistanceRange = (ranges[2], ranges[3]),
            Stored = new NoveltyThresholds(thresholds[..types], scales[0]),
            Distance = new NoveltyThresholds(thresholds[types..], scales[1]),
            Statistics = new RepresentationStatistics(
                width, counts, Read(reader, "means", (long)types * width), Read(reader, "shared", (long)width * width),
                Read(reader, "overall_mean", width), Read(reader, "overall", (long)width * width), cells),
            Genes = genes.Statistics,
            GeneThresholds = genes.Thresholds,
            Cells = fitted.Cells,
        };
    }

    private static void Write(GeneStatistics genes, NoveltyThresholds thresholds, List<SafetensorsTensor> tensors)
    {
        long count = genes.Mean.Length, components = genes.Components, populations = genes.Counts.Length;
        tensors.Add(SafetensorsTensor.Of(Prefix + "gene_thresholds", [populations], thresholds.Types));
        tensors.Add(SafetensorsTensor.Of(Prefix + "gene_scale", [1], new[] { thresholds.Scale }));
        tensors.Add(SafetensorsTensor.Of(Prefix + "gene_counts", [populations], genes.Counts));
        tensors.Add(SafetensorsTensor.Of(Prefix + "gene_mean", [count], genes.Mean));
        tensors.Add(SafetensorsTensor.Of(Prefix + "gene_components", [count, components], genes.Directions));
        tensors.Add(SafetensorsTensor.Of(Prefix + GeneMeans, [populations, components], genes.Means));
        tensors.Add(SafetensorsTensor.Of(Prefix + "gene_covariance", [components, components], genes.Covariance));
    }

    private static (GeneStatistics? Statistics, NoveltyThresholds? Thresholds) ReadGenes(SafetensorsReader reader, int panelGenes)
    {
        var covariance = reader.ReadDoubles(Prefix + "gene_covariance");
        var components = (int)Math.Sqrt(covariance.Length);
        Require(components > 0 && components <= panelGenes && covariance.Length == components * components && covariance.All(double.IsFinite), "an impossible gene covariance");
        var counts = reader.ReadInt32(Prefix + "gene_counts");
        Require(counts.Length > 0 && counts.All(count => count > 0), "impossible gene counts");
        var scale = Read(reader, "gene_scale", 1)[0];
        Require(scale > 0, "an impossible gene scale");
        var statistics = new GeneStatistics(
            Read(reader, "gene_mean", panelGenes), Read(reader, "gene_components", (long)panelGenes * components), counts,
            Read(reader, GeneMeans, (long)counts.Length * components), covariance);
        return (statistics, new NoveltyThresholds(Read(reader, "gene_thresholds", counts.Length), scale));
    }

    private static double[] Read(SafetensorsReader reader, string name, long count)
    {
        var values = reader.ReadDoubles(Prefix + name);
        Require(values.Length == count && values.All(double.IsFinite), $"impossible {name.Replace('_', ' ')}");
        return values;
    }

    private static void Require(bool holds, string fault)
    {
        if (!holds) throw new FormatException($"its novelty calibration has {fault}");
    }

    private sealed record Fitted(NoveltySettings Settings, int Cells);
}
